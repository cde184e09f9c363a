"""Actions of users on jobs: retry, cancel, change the priority."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now

from mirrors.models import ErrorClass, ImageMapping, JobStatus, MirrorJob, MirrorRequest, Priority, Trigger
from mirrors.selectors.queries.batches import batched
from mirrors.services.jobs.activity import Subject, record_actions
from mirrors.services.jobs.mirroring import request_mapped
from mirrors.services.jobs.refused_actions import ActionRefusedError
from mirrors.services.jobs.requested_copy import RequestedCopy

ROWS_PER_TRANSACTION = 200
"""The largest number of rows that one transaction changes, so that it does not hold its locks for long."""

MOST_RETRIED = 2_000
"""The largest number of jobs that one request retries, so that it completes before a proxy's timeout."""


@dataclass(slots=True)
class BulkResult:
    """The result of an action on several rows: the resulting jobs, and the reasons why other rows were skipped."""

    jobs: list[MirrorJob] = field(default_factory=list)
    created_ids: set[int] = field(default_factory=set)
    """IDs of the jobs that the action created."""
    refusals: list[str] = field(default_factory=list)


def batches(ids: Collection[int]) -> Iterator[Sequence[int]]:
    """Return the IDs in ascending order, in one batch per transaction."""
    return batched(sorted(ids), ROWS_PER_TRANSACTION)


def retry_jobs(*, job_ids: Collection[int], requested_by: str) -> BulkResult:
    """Request the images of jobs again, each image once; jobs that cannot be retried now are skipped with a reason."""
    result = BulkResult()
    for ids in batches(job_ids):
        with transaction.atomic():
            _retry(ids, requested_by, result)
    return result


def failed_last(*, error_class: str, error_host: str = "") -> QuerySet[MirrorJob]:
    """Return the failed jobs with this error that are the last job of their image."""
    last = MirrorJob.objects.filter(status=JobStatus.FAILED, error_class=error_class, mapping__last_job=F("id"))
    return last.failed_at(error_host) if error_host else last


def retry_failed(*, error_class: str, requested_by: str, error_host: str = "") -> BulkResult:
    """Retry the images whose last job failed with this error, oldest first; at most ``MOST_RETRIED`` of them."""
    last = failed_last(error_class=error_class, error_host=error_host).order_by("id")
    ids = list(last.values_list("id", flat=True)[: MOST_RETRIED + 1])
    result = retry_jobs(job_ids=ids[:MOST_RETRIED], requested_by=requested_by)
    if len(ids) > MOST_RETRIED:
        result.refusals.append(f"More than {MOST_RETRIED} jobs failed with this error: retry again for the others.")
    return result


def _retry(job_ids: Collection[int], requested_by: str, result: BulkResult) -> None:
    old: dict[int, MirrorJob] = {}
    for job in MirrorJob.objects.select_related("mapping").filter(id__in=job_ids).order_by("id"):
        if reason := _reason_not_retried(job):
            result.refusals.append(reason)
        else:
            old[job.mapping_id] = job
    new, created = _request_again(old.values(), requested_by)
    for mapping_id, job in new.items():
        if mapping_id in created:
            MirrorJob.objects.filter(id=job.id).update(retry_of=old[mapping_id])
    _copy_requests(old, new)
    fresh = MirrorJob.objects.select_related("mapping").filter(id__in=[job.id for job in new.values()]).order_by("id")
    result.jobs.extend(fresh)
    # An already active job is returned, but does not count as created.
    result.created_ids.update(new[mapping_id].id for mapping_id in created)
    subjects = [Subject(old[m].mapping.source, m, new[m].id, f"after job {old[m].id}") for m in sorted(created)]
    record_actions(actor=requested_by, action="retry", subjects=subjects)


def _reason_not_retried(job: MirrorJob) -> str:
    if job.status in MirrorJob.ACTIVE:
        return f"Job {job.id} is {job.get_status_display().lower()}: wait until it finishes, or cancel it first."
    if job.mapping.paused:
        return f"{job.mapping.source} is paused: resume its mapping first."
    return ""


def _request_again(jobs: Iterable[MirrorJob], requested_by: str) -> tuple[dict[int, MirrorJob], set[int]]:
    """Return the active jobs by mapping, and the mappings whose job is new."""
    outcomes = request_mapped((job.mapping, _retry_request(job, requested_by)) for job in jobs)
    live = MirrorJob.objects.in_bulk([outcome.job_id for outcome in outcomes if outcome.job_id is not None])
    created = {outcome.mapping_id for outcome in outcomes if outcome.mapping_id is not None and outcome.is_new}
    return {job.mapping_id: job for job in live.values()}, created


def _retry_request(job: MirrorJob, requested_by: str) -> RequestedCopy:
    trigger = Trigger.VERIFY if job.trigger == Trigger.VERIFY else Trigger.RETRY
    return RequestedCopy.of_mapping(
        job.mapping, trigger=trigger, requested_by=requested_by, namespace=job.namespace, cluster=job.cluster
    )


def _copy_requests(old: dict[int, MirrorJob], new: dict[int, MirrorJob]) -> None:
    """Copy the requests to the new jobs, which can then use the same pull secrets."""
    rows = list(MirrorRequest.objects.filter(job__in=old.values()).select_related("job"))
    copies = []
    for row in rows:
        row.pk, job = None, new.get(row.job.mapping_id)
        if job is not None:
            row.job = job
            copies.append(row)
    MirrorRequest.objects.bulk_create(copies, ignore_conflicts=True)


def cancel_job(*, job_id: int, requested_by: str) -> MirrorJob:
    """Cancel a queued job immediately. A running job stops at the next heartbeat of its worker.

    Raises ActionRefusedError if the job has finished, and MirrorJob.DoesNotExist.
    """
    result = cancel_jobs(job_ids=[job_id], requested_by=requested_by)
    if result.refusals:
        raise ActionRefusedError(result.refusals[0])
    if not result.jobs:
        raise MirrorJob.DoesNotExist
    return result.jobs[0]


def cancel_jobs(*, job_ids: Collection[int], requested_by: str) -> BulkResult:
    """Cancel several jobs. Jobs that have finished are skipped."""
    result = BulkResult()
    for ids in batches(job_ids):
        with transaction.atomic():
            _cancel(ids, requested_by, result)
    return result


def _cancel(job_ids: Collection[int], requested_by: str, result: BulkResult) -> None:
    # Lock the rows, so that no worker claims or finishes a job between read and update.
    locked_jobs = MirrorJob.objects.select_related("mapping").select_for_update(of=("self",))
    jobs = list(locked_jobs.filter(id__in=job_ids).order_by("id"))
    waiting = [job for job in jobs if job.status == JobStatus.PENDING]
    running = [job for job in jobs if job.status == JobStatus.RUNNING and job.cancel_requested_at is None]
    message = f"Cancelled by {requested_by}."
    fields = {"status": JobStatus.CANCELLED, "finished_at": Now(), "error_message": message}
    rows = MirrorJob.objects.select_related("mapping").order_by("id")
    rows.filter(id__in=[job.id for job in waiting]).update(**fields, error_class=ErrorClass.NONE, error_host="")
    ImageMapping.objects.filter(last_job__in=waiting).record()
    rows.filter(id__in=[job.id for job in running]).update(cancel_requested_at=Now(), error_message=message)
    subjects = [Subject(job.mapping.source, job.mapping_id, job.id) for job in (*waiting, *running)]
    record_actions(actor=requested_by, action="cancel", subjects=subjects)
    finished = [job for job in jobs if job.status in MirrorJob.TERMINAL]
    result.refusals += [
        f"Job {j.id} has already finished ({j.get_status_display().lower()}): there is nothing to cancel."
        for j in finished
    ]
    result.jobs += rows.filter(id__in=[job.id for job in jobs if job.status in MirrorJob.ACTIVE])


def set_priority(*, job_id: int, priority: int, requested_by: str) -> MirrorJob:
    """Change the priority of a queued job. Raises ActionRefusedError if it is not queued, and DoesNotExist."""
    with transaction.atomic():
        job = MirrorJob.objects.select_related("mapping").select_for_update(of=("self",)).get(id=job_id)
        if job.status != JobStatus.PENDING:
            raise ActionRefusedError(
                f"Job {job_id} is {job.get_status_display().lower()}: you can change the priority of queued jobs only."
            )
        if job.priority == priority:
            return job
        details = f"{job.get_priority_display()} → {Priority(priority).label}"
        MirrorJob.objects.filter(id=job_id).update(priority=priority)
        subject = Subject(job.mapping.source, job.mapping_id, job_id, details)
        record_actions(actor=requested_by, action="priority", subjects=[subject])
        job.priority = priority
    return job
