"""The errors of the last jobs of images, which are the reasons why images are absent from the target."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from mirrors.models import ImageMapping, JobStatus
from mirrors.models.jobs.job_errors import registry_of
from mirrors.selectors.images.mapping_states import failed_job_of
from mirrors.selectors.jobs.advice import next_step


@dataclass(frozen=True, slots=True)
class LastError:
    """The error of the last job of an image. ``advice`` is empty if the message already names the next step."""

    job: int
    error_class: str
    error_message: str
    error_host: str
    advice: str


NO_ERROR: Final = LastError(0, "", "", "", "")


def last_error_of(mapping: ImageMapping) -> LastError:
    """Return the last error of a mapping; ``NO_ERROR`` if its last job did not fail."""
    return _error_of(mapping) if failed_job_of(mapping) else NO_ERROR


def last_errors(*, sources: Collection[str]) -> dict[tuple[str, str], LastError]:
    """Return the errors of images that the target is not known to have, by source and target (canonical references)."""
    rows = ImageMapping.objects.filter(source__in=sources, last_job__status=JobStatus.FAILED)
    missing = rows.exclude(existence="present").select_related("last_job")
    return {(row.source, row.target): _error_of(row) for row in missing}


def _error_of(row: ImageMapping) -> LastError:
    job = row.last_job
    assert job is not None
    return LastError(
        job=job.pk,
        error_class=job.error_class,
        error_message=job.error_message,
        error_host=registry_of(job.error_host, row.source, row.target),
        advice=next_step(job),
    )
