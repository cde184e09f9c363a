"""Restart loops, which watchers record and users release, and targets that users declare healthy."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from mirrors.models import HealthState, RestartLoop, TargetHealth
from mirrors.services.jobs.activity import Subject, record_actions

SUSPENDED_FOR: Final = timedelta(days=1)
"""How long the image of the workload is not swapped: long enough to investigate, and without an action to end it."""

KEPT_FOR: Final = timedelta(days=7)
"""How long rows are kept after they expire."""


@dataclass(frozen=True, slots=True)
class FoundLoop:
    """A workload whose pods were deleted one after another."""

    namespace: str
    workload_kind: str
    workload: str
    source: str
    image: str
    count: int


def record_loop(*, cluster: str, loop: FoundLoop) -> RestartLoop:
    """Suspend swaps of the image in the workload, for one day from now."""
    row, _ = RestartLoop.objects.update_or_create(
        cluster=cluster,
        key=RestartLoop.key_of(loop.namespace, loop.workload_kind, loop.workload, loop.source),
        defaults={
            "namespace": loop.namespace,
            "workload_kind": loop.workload_kind,
            "workload": loop.workload,
            "source": loop.source,
            "image": loop.image,
            "count": loop.count,
            "detected_at": timezone.now(),
            "expires_at": timezone.now() + SUSPENDED_FOR,
            "released_at": None,
        },
    )
    return row


def release_loops(*, loop_ids: Collection[int], requested_by: str) -> int:
    """Let the images be swapped again. Return how many restart loops were active."""
    with transaction.atomic():
        rows = list(RestartLoop.objects.active().filter(pk__in=loop_ids).select_for_update().order_by("pk"))
        if rows:
            RestartLoop.objects.filter(pk__in=[row.pk for row in rows]).update(released_at=Now())
        subjects = [Subject(row.source, details=f"{row.namespace}/{row.workload}") for row in rows]
        record_actions(actor=requested_by, action="release", subjects=subjects)
    return len(rows)


def prune_loops(*, cluster: str) -> None:
    """Delete the cluster's restart loops that expired more than ``KEPT_FOR`` ago."""
    expired = RestartLoop.objects.filter(cluster=cluster, expires_at__lt=timezone.now() - KEPT_FOR)
    if expired.exists():
        expired.delete()


def declare_healthy(*, health_ids: Collection[int], requested_by: str) -> int:
    """Let pods be swapped to these targets again, without a test. Return how many targets were not healthy."""
    with transaction.atomic():
        unhealthy = TargetHealth.objects.disturbed().filter(pk__in=health_ids)
        rows = list(unhealthy.select_for_update().order_by("pk"))
        if rows:
            TargetHealth.objects.filter(pk__in=[row.pk for row in rows]).update(
                state=HealthState.HEALTHY, changed_at=Now()
            )
        subjects = [Subject(row.registry, details=f"cluster {row.cluster}") for row in rows]
        record_actions(actor=requested_by, action="declare-healthy", subjects=subjects)
    return len(rows)
