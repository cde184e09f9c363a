"""The live job of a mapping, which is created if there is none. The database allows one live job per mapping."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from django.db import IntegrityError, transaction
from django.db.models import OuterRef, Subquery

from mirrors.models import ImageMapping, MirrorJob, Trigger
from mirrors.services.jobs.requested_copy import UNATTENDED, RequestedCopy
from mirrors.vocabulary.bounds import host_of


def live_jobs(
    requests: dict[str, RequestedCopy], mappings: dict[str, ImageMapping]
) -> tuple[dict[str, MirrorJob], set[int]]:
    """Return the active job of each requested mapping. A missing job is created, a priority lower than the requested
    one is raised, and a job that only verifies becomes a copy if a copy is requested.

    Also return the mappings whose job was created, or became a copy, by a user's request.
    """
    missing = dict(requests)
    jobs: dict[str, MirrorJob] = {}
    created: set[int] = set()
    # A job can finish between the insert that it prevented and the query for it. Then insert again.
    for _ in range(3):
        if not missing:
            break
        by_mapping = {mappings[source].id: source for source in missing}
        new = _insert([_new_job(mapping_id, missing[source]) for mapping_id, source in sorted(by_mapping.items())])
        created |= new.keys()
        others = by_mapping.keys() - new.keys()
        for job in (*new.values(), *MirrorJob.objects.live().filter(mapping__in=others).order_by("mapping_id")):
            jobs[by_mapping[job.mapping_id]] = job
            missing.pop(by_mapping[job.mapping_id])
    created |= _convert_verifications([(job, requests[source]) for source, job in jobs.items()])
    _raise_priorities([(job, requests[source].priority) for source, job in jobs.items()])
    stale = [job.mapping_id for source, job in jobs.items() if mappings[source].last_job_id != job.id]
    live = MirrorJob.objects.live().filter(mapping=OuterRef("pk")).values("id")[:1]
    ImageMapping.objects.filter(id__in=stale).record(last_job_id=Subquery(live))
    return jobs, created


def _insert(jobs: Sequence[MirrorJob]) -> dict[int, MirrorJob]:
    """Insert the jobs whose mapping has no live one. Return the new jobs that users requested, by mapping.

    An insert that ignores conflicts does not return the written rows, so users' jobs are inserted without that option.
    """
    MirrorJob.objects.bulk_create([job for job in jobs if job.trigger in UNATTENDED], ignore_conflicts=True)
    attended = [job for job in jobs if job.trigger not in UNATTENDED]
    if len(attended) > 1:
        live = MirrorJob.objects.live().filter(mapping__in=[job.mapping_id for job in attended])
        with_live_job = set(live.values_list("mapping_id", flat=True))
        attended = [job for job in attended if job.mapping_id not in with_live_job]
    if not attended:
        return {}
    try:
        with transaction.atomic():
            return {job.mapping_id: job for job in MirrorJob.objects.bulk_create(attended)}
    except IntegrityError:
        return _insert_each(attended) if len(attended) > 1 else {}


def _insert_each(jobs: Sequence[MirrorJob]) -> dict[int, MirrorJob]:
    """Insert the jobs one by one, because a concurrent request has inserted some of them. Return the new ones."""
    created = {}
    for job in jobs:
        with suppress(IntegrityError), transaction.atomic():
            job.pk = None
            job.save(force_insert=True)
            created[job.mapping_id] = job
    return created


def _convert_verifications(jobs: Sequence[tuple[MirrorJob, RequestedCopy]]) -> set[int]:
    """Turn verifications into the requested copies. A running verification continues with the copy. Return the mappings
    for which a user requested the copy."""
    converted = set()
    for job, request in jobs:
        if job.trigger != Trigger.VERIFY or request.trigger == Trigger.VERIFY:
            continue
        verifying = MirrorJob.objects.live().filter(id=job.id, trigger=Trigger.VERIFY)
        verifying.update(trigger=request.trigger, requested_by=request.requested_by)
        if request.trigger not in UNATTENDED:
            converted.add(job.mapping_id)
    return converted


def _raise_priorities(jobs: Sequence[tuple[MirrorJob, int]]) -> None:
    """Raise the priority of jobs whose priority is lower than the requested one."""
    by_priority: dict[int, list[int]] = {}
    for job, priority in jobs:
        if job.priority > priority:
            by_priority.setdefault(priority, []).append(job.pk)
    for priority, ids in by_priority.items():
        MirrorJob.objects.live().filter(id__in=ids).update(priority=priority)


def _new_job(mapping_id: int, request: RequestedCopy) -> MirrorJob:
    return MirrorJob(
        mapping_id=mapping_id,
        priority=request.priority,
        trigger=request.trigger,
        requested_by=request.requested_by,
        cluster=request.cluster,
        namespace=request.namespace,
        source_host=host_of(request.source),
        target_host=host_of(request.target),
    )
