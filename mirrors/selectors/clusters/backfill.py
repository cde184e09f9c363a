"""The images that a backfill would mirror, and the progress of backfills."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from django.db.models import Case, Count, Exists, F, IntegerField, Max, OuterRef, Q, QuerySet, Sum, Value, When
from django.utils import timezone

from mirrors.models import (
    BackfillImage,
    BackfillImageState,
    BackfillRun,
    BackfillState,
    Existence,
    ImageMapping,
    RunningImage,
    RunningState,
)
from mirrors.selectors.clusters.clusters import targets_in_use
from mirrors.selectors.queries.slow_query_cache import SlowQueryCache
from mirrors.selectors.queries.subqueries import rows_counted
from mirrors.vocabulary.reasons import meaning_of

AWAITED_STATES: Final = (RunningState.FAILING, RunningState.STARTING)
"""States of an image that pods are waiting for."""

FEW_COPIES: Final = 3
"""The number of copies after which the pace of a run predicts its duration better than the limits of registries."""

SKIP_REASONS: Final = {
    "pod-not-found": "the pods and workloads that used it no longer exist",
    "failed-recently": "its last copy failed a short time ago",
}
"""Reasons to skip an image, in addition to the reasons of admissions."""


def candidates(*, cluster: str, registry_id: int | None, excluding: QuerySet[Any] | None = None) -> QuerySet[Any, Any]:
    """Return the images that run in a cluster and are not at the target, as dictionaries: first those that pods wait
    for, then the most used. ``excluding`` are sources to leave out."""
    rows = RunningImage.objects.current().filter(~is_present_at(registry_id), cluster=cluster).exclude(source="")
    if excluding is not None:
        rows = rows.exclude(source__in=excluding)
    awaited = Max(Case(When(state__in=AWAITED_STATES, then=Value(1)), default=Value(0), output_field=IntegerField()))
    images = rows.order_by().values("source").annotate(is_awaited=awaited, used=Sum("pods"), workloads=Count("pk"))
    return images.order_by("-is_awaited", "-used", "-workloads", "source")


def representatives(*, cluster: str, source: str, limit: int) -> list[RunningImage]:
    """Return at most ``limit`` rows of an image, each from a different namespace, those with the most pods first."""
    rows = RunningImage.objects.current().filter(source=source, cluster=cluster).order_by("-pods", "id")
    by_namespace: dict[str, RunningImage] = {}
    # Read up to 20 rows for each result, because an image seldom has as many workloads in one namespace.
    for row in rows[: limit * 20]:
        by_namespace.setdefault(row.namespace, row)
    return list(by_namespace.values())[:limit]


def open_run(cluster: str) -> BackfillRun | None:
    return BackfillRun.objects.filter(cluster=cluster, state__in=BackfillRun.OPEN).first()


@dataclass(frozen=True, slots=True)
class BackfillProgress:
    """The number of images of a run by state. ``seconds_left`` is None if it cannot be estimated."""

    found: int = 0
    ready: int = 0
    skipped: int = 0
    queued: int = 0
    mirrored: int = 0
    failed: int = 0
    cancelled: int = 0
    seconds_left: float | None = None

    @property
    def images(self) -> int:
        """The number of images that the run mirrors or has tried to mirror."""
        return self.found + self.ready + self.queued + self.finished

    @property
    def finished(self) -> int:
        return self.mirrored + self.failed + self.cancelled

    @property
    def left(self) -> int:
        return self.images - self.finished

    @property
    def percent(self) -> int:
        return round(100 * self.finished / self.images) if self.images else 100


def backfill_progress(run: BackfillRun) -> BackfillProgress:
    """Return the progress of a run."""
    rows = BackfillImage.objects.filter(run=run).order_by().values_list("state").annotate(Count("pk"))
    return _progress(run, dict(rows))


def running_backfills(**scope: str) -> list[tuple[BackfillRun, BackfillProgress]]:
    """Return the running and paused backfills with their progress, of all clusters or with ``cluster`` of one. This
    takes one query, because the dashboard refreshes often."""
    # Each count reads a part of an index instead of all rows of the table.
    images = BackfillImage.objects.filter(run=OuterRef("pk"))
    counts = {f"in_{state}": rows_counted(images.filter(state=state)) for state in BackfillImageState.values}
    runs = BackfillRun.objects.active().filter(**scope).order_by("cluster").annotate(**counts)
    return [(run, _progress(run, {s: getattr(run, f"in_{s}") for s in BackfillImageState.values})) for run in runs]


def _progress(run: BackfillRun, counts: dict[str, int]) -> BackfillProgress:
    progress = BackfillProgress(**counts)
    return replace(progress, seconds_left=seconds_left(run, progress, timezone.now()))


def seconds_left(run: BackfillRun, progress: BackfillProgress, now: datetime) -> float | None:
    """Return the estimated seconds that a run still takes; None if unknown. The estimate uses the pace since the run
    was last started if it has made ``FEW_COPIES`` copies, and otherwise the limits of registries."""
    if not run.is_open or not progress.left:
        return None
    done = progress.finished - run.done_before
    if run.state == BackfillState.RUNNING and run.resumed_at is not None and done >= FEW_COPIES:
        return (now - run.resumed_at).total_seconds() / done * progress.left
    return run.seconds_estimated * progress.left / progress.images if run.seconds_estimated else None


def skipped_by_reason(run: BackfillRun) -> list[tuple[str, str, int]]:
    """Return the reasons with their meaning and number of images, the most frequent first."""
    rows = BackfillImage.objects.filter(run=run, state=BackfillImageState.SKIPPED).order_by()
    counts = rows.values_list("reason").annotate(images=Count("pk")).order_by("-images", "reason")
    return [(reason, why(reason), images) for reason, images in counts]


def why(reason: str) -> str:
    """Return the meaning of a reason to skip an image."""
    return meaning_of(reason) or SKIP_REASONS.get(reason, reason)


def tried_since(cluster: str, since: datetime) -> QuerySet[Any, Any]:
    """Return the sources that runs of this cluster, finished since a time, have considered and not mirrored."""
    run_images = BackfillImage.objects.filter(run__cluster=cluster, run__finished_at__gt=since)
    return run_images.exclude(state=BackfillImageState.MIRRORED).values("source")


def due(run: BackfillRun, states: Collection[str], limit: int) -> list[BackfillImage]:
    """Return the next images of a run that are in one of the states."""
    return list(BackfillImage.objects.filter(run=run, state__in=states).order_by("rank")[:limit])


def done_now(run: BackfillRun) -> int:
    return BackfillImage.objects.filter(run=run, state__in=BackfillImage.OVER).count()


cluster_cache: Final[SlowQueryCache[list[dict[str, Any]]]] = SlowQueryCache()


def of_clusters() -> list[dict[str, Any]]:
    """Return each cluster with the number of its images that are not at its target. All running images are read for
    this, so the result is cached."""
    if (cached := cluster_cache.get()) is not None:
        return cached
    started = time.monotonic()
    counts = _of_clusters()
    cluster_cache.put(counts, seconds=time.monotonic() - started)
    return counts


def _of_clusters() -> list[dict[str, Any]]:
    rows = RunningImage.objects.current().filter(~_is_mirrored()).exclude(source="").order_by()
    counts = rows.values("cluster").annotate(images=Count("source", distinct=True)).order_by("cluster")
    return list(counts.values("cluster", "images", name=F("cluster")))


def _is_mirrored() -> Q:
    """Return the condition for rows whose image is at their cluster's target; a cluster without one uses the first."""
    clusters = {row.pk: row.clusters for row in targets_in_use()}
    first = next(iter(clusters), None)
    other_targets = {pk: names for pk, names in clusters.items() if pk != first}
    condition = Q(~Q(cluster__in=[name for names in other_targets.values() for name in names]), is_present_at(first))
    for registry_id, names in other_targets.items():
        condition |= Q(is_present_at(registry_id), cluster__in=names)
    return condition


def is_present_at(registry_id: int | None) -> Exists:
    """Return the condition for rows with a field ``source`` whose image this target has."""
    present = ImageMapping.objects.filter(target_registry=registry_id, existence=Existence.PRESENT)
    return Exists(present.filter(source=OuterRef("source")))
