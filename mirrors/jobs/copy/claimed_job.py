"""A claimed job and its image, with only the columns that a copy needs. Django loads other columns on access."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import Model, QuerySet

from mirrors.models import ImageMapping, MirrorJob
from mirrors.selectors.queries.fixed_query import Argument, fixed_query


def _in_order(model: type[Model], names: set[str]) -> tuple[str, ...]:
    """Return the names in the order of the model's fields, as ``from_db`` requires."""
    return tuple(field.attname for field in model._meta.concrete_fields if field.attname in names)


JOB_COLUMNS: Final = _in_order(
    MirrorJob, {"id", "mapping_id", "trigger", "priority", "cluster", "namespace", "tried_clusters"}
)
MAPPING_COLUMNS: Final = _in_order(
    ImageMapping,
    {
        "id",
        "source",
        "target",
        "target_registry_id",
        "source_digest",
        "target_digest",
        "access",
        "obstacle",
        "only_platforms",
        "paused",
    },
)


@fixed_query
def _columns(job_id: Argument) -> QuerySet[MirrorJob, Any]:
    return MirrorJob.objects.filter(id=job_id).values_list(
        *JOB_COLUMNS, *(f"mapping__{name}" for name in MAPPING_COLUMNS)
    )


def claimed_job(job_id: int) -> MirrorJob:
    """Return the job with its mapping. Raises MirrorJob.DoesNotExist."""
    for row in _columns(job_id):
        job = MirrorJob.from_db("default", JOB_COLUMNS, row[: len(JOB_COLUMNS)])
        job.mapping = ImageMapping.from_db("default", MAPPING_COLUMNS, row[len(JOB_COLUMNS) :])
        return job
    raise MirrorJob.DoesNotExist(f"job {job_id}")
