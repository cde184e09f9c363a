"""What people do to jobs: retry and cancel."""

from __future__ import annotations

from django.db import transaction
from django.db.models.functions import Now

from mirrors.models import ImageMapping, JobStatus, MirrorJob, MirrorRequest, Priority, Trigger
from mirrors.services.mirroring import MirrorOrder, request_mirror


class JobStateError(Exception):
    """The job is in a state that does not allow this."""


def retry_job(*, job_id: int, requested_by: str) -> MirrorJob:
    """Order the job's image anew and return the new job; the old one stays as it ended.

    Raises JobStateError while the job is live, and MirrorJob.DoesNotExist.
    """
    with transaction.atomic():
        job = MirrorJob.objects.select_related("mapping").get(id=job_id)
        if job.status in MirrorJob.ACTIVE:
            raise JobStateError(f"Job {job_id} is {job.status}: wait for its end, or cancel it first.")
        mapping = job.mapping
        if mapping.paused:
            raise JobStateError(f"{mapping.source} is paused: resume its mapping first.")
        order = MirrorOrder(
            source=mapping.source,
            target=mapping.target,
            trigger=Trigger.RETRY,
            priority=Priority.OPERATOR,
            requested_by=requested_by,
            namespace=job.namespace,
        )
        outcome = request_mirror(target_registry_id=mapping.target_registry_id, order=order)
        assert outcome.job_id is not None  # the mapping exists and is not paused
        new = MirrorJob.objects.get(id=outcome.job_id)
        if new.retry_of_id is None and new.id > job.id:
            MirrorJob.objects.filter(id=new.id, retry_of=None).update(retry_of=job)
        _carry_requests(job, new)
        new.refresh_from_db()
    return new


def _carry_requests(old: MirrorJob, new: MirrorJob) -> None:
    """The new job may try the same pull secrets as the old one."""
    rows = list(old.requests.all())
    for row in rows:
        row.pk = None
        row.job = new
    MirrorRequest.objects.bulk_create(rows, ignore_conflicts=True)


def cancel_job(*, job_id: int, requested_by: str) -> MirrorJob:
    """End a pending job at once; ask the worker of a running one to stop at its next heartbeat.

    Raises JobStateError when the job has ended, and MirrorJob.DoesNotExist.
    """
    with transaction.atomic():
        message = f"Cancelled by {requested_by}."
        pending = MirrorJob.objects.filter(id=job_id, status=JobStatus.PENDING)
        if pending.update(status=JobStatus.CANCELLED, finished_at=Now(), error_message=message):
            ImageMapping.objects.filter(last_job=job_id).record()
        else:
            running = MirrorJob.objects.filter(id=job_id, status=JobStatus.RUNNING)
            if not running.update(cancel_requested_at=Now(), error_message=message):
                job = MirrorJob.objects.get(id=job_id)
                raise JobStateError(f"Job {job_id} has ended already ({job.status}): there is nothing to cancel.")
    return MirrorJob.objects.get(id=job_id)
