"""Writes of the watcher about failing pulls: changed rows, and new copies of images that the target has lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper
from django.db.models.functions import Now
from django.utils import timezone

from mirrors.models import Existence, ImageMapping, MirrorRequest, Priority, PullFailure, Trigger
from mirrors.models.images.mappings import REFERENCE_LENGTH
from mirrors.selectors.queries.batches import batched
from mirrors.services.jobs.mirroring import request_copies
from mirrors.services.jobs.requested_copy import RequestedCopy
from mirrors.vocabulary.bounds import storable
from mirrors.vocabulary.pull_causes import PullCause, PullSide

log = structlog.get_logger(__name__)

ROWS_PER_STATEMENT: Final = 500
"""The largest number of rows in one statement."""

SEEN_EVERY: Final = timedelta(minutes=1)
"""The time between two writes of ``last_seen_at`` in rows that have not changed."""

REQUESTED_EVERY: Final = timedelta(minutes=5)
"""The time between two requests for one missing image: the kubelet's longest back-off, during which a pod can still
report the failure."""


@dataclass(frozen=True, slots=True)
class SeenFailure:
    """An image that pods cannot pull for one cause, as seen in one check."""

    image: str
    source: str
    side: PullSide
    cause: PullCause
    message: str
    pods: int
    nodes: int
    namespaces: list[str]
    samples: list[dict[str, Any]]
    is_mirrored: bool
    mapping_id: int | None = None

    @property
    def key(self) -> str:
        return PullFailure.key_of(self.image, self.cause)


_COMPARED = ("source", "pods", "nodes", "namespaces", "samples", "is_mirrored")


def write_failures(*, cluster: str, failures: Sequence[SeenFailure], rows: dict[str, PullFailure]) -> None:
    """Update the rows of a cluster (``rows``, by key) to the failures that were seen. A row keeps its first message,
    because messages contain ports and request IDs that differ in each attempt."""
    by_key = {failure.key: failure for failure in sorted(failures, key=lambda failure: failure.key)}
    new = [_new(cluster, failure) for key, failure in by_key.items() if key not in rows]
    changed = [rows[key] for key, failure in by_key.items() if key in rows and _update_row(rows[key], failure)]
    removed = sorted(rows[key].pk for key in rows.keys() - by_key.keys())
    with transaction.atomic():
        PullFailure.objects.bulk_create(new, batch_size=ROWS_PER_STATEMENT, ignore_conflicts=True)
        PullFailure.objects.bulk_update(changed, [*_COMPARED, "last_seen_at"], batch_size=ROWS_PER_STATEMENT)
        for batch in batched(removed, ROWS_PER_STATEMENT):
            PullFailure.objects.filter(pk__in=batch).delete()
        old = ExpressionWrapper(Now() - SEEN_EVERY, output_field=DateTimeField())
        PullFailure.objects.filter(cluster=cluster, last_seen_at__lt=old).update(last_seen_at=Now())


def _new(cluster: str, failure: SeenFailure) -> PullFailure:
    compared = {name: getattr(failure, name) for name in _COMPARED}
    return PullFailure(
        cluster=cluster,
        key=failure.key,
        image=storable(failure.image, REFERENCE_LENGTH),
        at=failure.side,
        cause=failure.cause,
        message=failure.message,
        **compared,
    )


def _update_row(row: PullFailure, failure: SeenFailure) -> bool:
    """Copy a failure into its row. Return False if nothing differs."""
    differing = [name for name in _COMPARED if getattr(row, name) != getattr(failure, name)]
    for name in differing:
        setattr(row, name, getattr(failure, name))
    if differing:
        row.last_seen_at = timezone.now()
    return bool(differing)


def recover_missing(
    *, target_registry_id: int, cluster: str, mapping_ids: Sequence[int], copies: bool
) -> list[ImageMapping]:
    """Set the state of these images, which a node did not find at the target, to unknown and, with ``copies``, request
    a copy of each with the highest priority; both at most once in ``REQUESTED_EVERY``. Webhooks keep the sources of new
    pods until the target has the images again. Return the mappings that were reset."""
    recent = ExpressionWrapper(Now() - REQUESTED_EVERY, output_field=DateTimeField())
    missing = PullFailure.objects.filter(cluster=cluster, at=PullSide.TARGET, cause=PullCause.NOT_FOUND)
    with transaction.atomic():
        sources = set(missing.values_list("source", flat=True))
        # Requests count whatever their cluster, and whatever the image's name at the target.
        recently_requested = PullFailure.objects.filter(source__in=sources, asked_at__gt=recent)
        sources -= set(recently_requested.values_list("source", flat=True))
        mappings = ImageMapping.objects.filter(pk__in=mapping_ids, source__in=sources, paused=False)
        rows = list(mappings.select_for_update().order_by("pk"))
        if not rows:
            return []
        ImageMapping.objects.filter(pk__in=[row.pk for row in rows]).record(
            existence=Existence.UNKNOWN, verified_at=None
        )
        missing.filter(source__in=[row.source for row in rows]).update(asked_at=Now())
        if copies:
            request_copies(target_registry_id=target_registry_id, requests=[_request(row) for row in rows])
    for row in rows:
        log.warning("A node did not find a mirrored image at the target", image=row.source, copied_again=copies)
    return rows


def _request(row: ImageMapping) -> RequestedCopy:
    """Return a request with the pull secrets of the last request, because the image may be private."""
    last = MirrorRequest.objects.filter(job__mapping=row).order_by("-id").first()
    return RequestedCopy(
        row.source,
        row.target,
        trigger=Trigger.REFRESH,
        priority=Priority.FORCE,
        namespace=last.namespace if last else "",
        cluster=last.cluster if last else "",
        service_account=last.service_account if last else "",
        secret_names=tuple(filter(None, last.secret_names.split(","))) if last else (),
        workload=last.workload if last else "",
    )
