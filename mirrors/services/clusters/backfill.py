"""Actions of users on backfills: preview, start, pause, resume, cancel."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Now

from mirrors.models import (
    BackfillImage,
    BackfillImageState,
    BackfillRun,
    BackfillState,
    JobStatus,
    MirrorJob,
    Priority,
    RunningImage,
)
from mirrors.selectors.clusters import backfill as backfills
from mirrors.selectors.clusters.clusters import target_of_cluster
from mirrors.services.jobs.activity import Subject, record_actions
from mirrors.services.jobs.jobs import cancel_jobs
from mirrors.services.jobs.refused_actions import NO_TARGET, ActionRefusedError

MOST_RUN_IMAGES: Final = 20_000
"""The largest number of images of one run. In a larger cluster, the next run mirrors the others."""

ROWS_PER_INSERT: Final = 1_000
"""The largest number of rows that one statement inserts."""


class NothingToMirrorError(ActionRefusedError):
    """All images of the cluster are mirrored."""


def request_preview(*, cluster: str, requested_by: str, excluding: QuerySet[Any] | None = None) -> BackfillRun:
    """Create a run for the cluster, which the cluster's watcher previews. It replaces an earlier preview. ``excluding``
    are sources to leave out.

    Raises ActionRefusedError if there is no target or nothing to mirror, or if a run is running or paused.
    """
    target = target_of_cluster(cluster)
    if target is None:
        raise ActionRefusedError(NO_TARGET)
    candidates = list(
        islice(backfills.candidates(cluster=cluster, registry_id=target.pk, excluding=excluding), MOST_RUN_IMAGES)
    )
    if not candidates and not RunningImage.objects.filter(cluster=cluster).exists():
        raise ActionRefusedError(
            f"There is no data about the cluster {cluster}: check that its watcher runs (manage.py watch)."
        )
    if not candidates:
        raise NothingToMirrorError(
            f"All images that run in the cluster {cluster} are mirrored: there is nothing to do."
        )
    try:
        with transaction.atomic():
            _set_state(BackfillRun.objects.filter(cluster=cluster), {BackfillState.PREVIEW}, BackfillState.CANCELLED)
            run = BackfillRun.objects.create(cluster=cluster, requested_by=requested_by[:255], images=len(candidates))
            BackfillImage.objects.bulk_create(
                (_image(run, n, row) for n, row in enumerate(candidates)), batch_size=ROWS_PER_INSERT
            )
            _record_action(run, "preview", requested_by)
    except IntegrityError:
        raise ActionRefusedError(
            f"A backfill of the cluster {cluster} is in progress: wait for it, or cancel it."
        ) from None
    run.refresh_from_db()
    return run


def _image(run: BackfillRun, rank: int, row: dict[str, Any]) -> BackfillImage:
    return BackfillImage(
        run=run,
        source=row["source"],
        rank=rank,
        pods=row["used"] or 0,
        workloads=row["workloads"],
        is_awaited=bool(row["is_awaited"]),
    )


def start_run(*, run_id: int, requested_by: str) -> BackfillRun:
    """Start to mirror the previewed images. Raises ActionRefusedError."""
    run = BackfillRun.objects.get(pk=run_id)
    if run.state == BackfillState.PREVIEW and run.previewed_at is None:
        raise ActionRefusedError("The preview is not complete yet: wait until the watcher has evaluated all images.")
    return _change(run, {BackfillState.PREVIEW}, BackfillState.RUNNING, "start", requested_by, started_at=Now())


def discard_preview(*, run_id: int) -> None:
    """Delete a preview that failed and that no user waits for."""
    BackfillRun.objects.filter(pk=run_id, state=BackfillState.PREVIEW).delete()


def pause_run(*, run_id: int, requested_by: str) -> BackfillRun:
    """Request no more copies. Jobs that are queued already still run. Raises ActionRefusedError."""
    run = BackfillRun.objects.get(pk=run_id)
    return _change(run, {BackfillState.RUNNING}, BackfillState.PAUSED, "pause", requested_by)


def resume_run(*, run_id: int, requested_by: str) -> BackfillRun:
    """Continue a paused run. Raises ActionRefusedError."""
    run = BackfillRun.objects.get(pk=run_id)
    return _change(run, {BackfillState.PAUSED}, BackfillState.RUNNING, "resume", requested_by)


def cancel_run(*, run_id: int, requested_by: str) -> BackfillRun:
    """Cancel a run and its queued jobs, except those that pods now wait for. Raises ActionRefusedError."""
    run = BackfillRun.objects.get(pk=run_id)
    changed = _change(run, BackfillRun.OPEN, BackfillState.CANCELLED, "cancel", requested_by)
    cancel_jobs(job_ids=_queued_jobs(run), requested_by=requested_by)
    run_images = BackfillImage.objects.filter(run=run)
    run_images.filter(job__status=JobStatus.CANCELLED).update(state=BackfillImageState.CANCELLED)
    unstarted = [BackfillImageState.FOUND, BackfillImageState.READY]
    run_images.filter(state__in=unstarted).update(state=BackfillImageState.CANCELLED)
    return changed


def _queued_jobs(run: BackfillRun) -> list[int]:
    """Return the IDs of the run's queued jobs that nothing else waits for. A job with a higher priority was requested
    by a pod or a user in the meantime, and open runs of other clusters may wait for a job too."""
    queued = BackfillImage.objects.filter(state=BackfillImageState.QUEUED)
    jobs = MirrorJob.objects.filter(status=JobStatus.PENDING, priority=Priority.BACKFILL)
    run_jobs = jobs.filter(pk__in=queued.filter(run=run).values("job"))
    images_of_other_runs = queued.filter(job=OuterRef("pk"), run__state__in=BackfillRun.OPEN).exclude(run=run)
    return list(run_jobs.filter(~Exists(images_of_other_runs)).values_list("pk", flat=True))


def hold_running(run_id: int) -> bool:
    """Return whether a run is running, and lock it: a pause or cancellation waits until the transaction ends."""
    running = BackfillRun.objects.filter(pk=run_id, state=BackfillState.RUNNING)
    return bool(running.select_for_update().values_list("pk", flat=True))


def _change(
    run: BackfillRun, before: Collection[str], after: BackfillState, action: str, requested_by: str, **fields: Any
) -> BackfillRun:
    if after == BackfillState.RUNNING:
        fields |= {"resumed_at": Now(), "done_before": backfills.done_now(run)}
    with transaction.atomic():
        if not _set_state(BackfillRun.objects.filter(pk=run.pk), before, after, **fields):
            run.refresh_from_db()
            raise ActionRefusedError(f"The {run} is {run.get_state_display().lower()}: you cannot {action} it now.")
        _record_action(run, action, requested_by)
    run.refresh_from_db()
    return run


def _set_state(runs: QuerySet[BackfillRun], before: Collection[str], after: BackfillState, **fields: Any) -> int:
    """Change the state of the runs that are still in one of the states ``before``, and return how many were changed."""
    if after not in BackfillRun.OPEN:
        fields["finished_at"] = Now()
    return runs.filter(state__in=before).update(state=after, problem="", **fields)


def _record_action(run: BackfillRun, action: str, actor: str) -> None:
    if actor:
        record_actions(actor=actor, action=action, subjects=[Subject(str(run))])


def finish_run(*, run_id: int) -> None:
    """Record that a run is finished, because all of its images have been processed."""
    _set_state(BackfillRun.objects.filter(pk=run_id), {BackfillState.RUNNING}, BackfillState.FINISHED)
