"""The only way to request a copy: write mapping, job, requester and a wake-up in one transaction.

Admission, refresh, backfill, retry, API, pages and commands all call ``request_copies``. The other functions here
create its requests from the images or mappings that users name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from functools import cache

from django.db import transaction
from django.db.models import DateTimeField, Exists, ExpressionWrapper, OuterRef
from django.db.models.functions import Now

from mirrors.images import ImageRef
from mirrors.models import (
    ErrorClass,
    ImageMapping,
    JobStatus,
    MirrorAttempt,
    MirrorJob,
    MirrorRequest,
    Registry,
    RegistryRole,
    Trigger,
)
from mirrors.registries.allowed import AllowedSources
from mirrors.selectors.clusters.clusters import target_of_cluster
from mirrors.selectors.configuration import declared
from mirrors.services.jobs import quotas as quota
from mirrors.services.jobs.live_jobs import live_jobs
from mirrors.services.jobs.refused_actions import NO_TARGET, ActionRefusedError
from mirrors.services.jobs.requested_copy import UNATTENDED, RequestedCopy, RequestOutcome
from mirrors.services.jobs.wakeup import wake_workers
from swapper_project.config import Quotas

RETRY_BLOCKED_FOR = timedelta(minutes=10)
"""How long pods cannot request a new copy of an image after its last copy failed."""

UNREADABLE = frozenset({ErrorClass.NOT_FOUND, ErrorClass.DENIED, ErrorClass.UNAUTHORIZED})
"""Errors that might not occur with credentials of another namespace. Without access, registries return "not found"."""


def request_copies(
    *, target_registry_id: int, requests: Sequence[RequestedCopy], quotas: Quotas | None = None
) -> list[RequestOutcome]:
    """Request copies in one transaction. The outcomes are in the order of ``requests``.

    Any number of processes can call this concurrently, because the database allows one active job per mapping.
    ``quotas`` limit the requests of pods, not those of users.
    """
    with transaction.atomic():
        over_quota = quota.over_quota(target_registry_id, requests, quotas) if quotas else set()
        all_requests, requests = requests, [request for request in requests if request.source not in over_quota]
        mappings = _mappings(target_registry_id, requests)
        # Of several requests for one image, the one with the highest priority is the last, and is used.
        by_priority = sorted(requests, key=lambda request: -request.priority)
        by_source = {request.source: request for request in by_priority if request.source in mappings}
        unattended = [request for request in requests if request.trigger in UNATTENDED and request.source in mappings]
        blocked = _failed_recently(unattended, mappings)
        attended = {request.source for request in requests if request.trigger not in UNATTENDED}
        startable = {
            s: r for s, r in by_source.items() if not mappings[s].paused and (s in attended or s not in blocked)
        }
        jobs, created = live_jobs(startable, mappings)
        _record_requests(requests, jobs)
        if jobs:
            wake_workers(jobs=len(jobs))
    refused = {source: RequestOutcome(source, problem="quota") for source in over_quota}
    return [refused.get(request.source) or _outcome(request, mappings, jobs, created) for request in all_requests]


def request_mapped(requests: Iterable[tuple[ImageMapping, RequestedCopy]]) -> list[RequestOutcome]:
    """Request copies of images that have a mapping, for users, at the target registry of each mapping."""
    by_registry: dict[int, list[RequestedCopy]] = {}
    for mapping, request in requests:
        by_registry.setdefault(mapping.target_registry_id, []).append(request)
    return [
        outcome
        for registry_id, registry_requests in by_registry.items()
        for outcome in request_copies(target_registry_id=registry_id, requests=registry_requests)
    ]


def request_images(*, target: Registry, sources: Sequence[ImageRef], requested_by: str) -> list[RequestOutcome]:
    """Request copies of images at a target, for a user. Callers check ``refusal_of`` first."""
    name = target.target_name
    requests = [
        RequestedCopy.of_user(
            str(source), str(name.retarget(source)), trigger=Trigger.OPERATOR, requested_by=requested_by
        )
        for source in sources
    ]
    return request_copies(target_registry_id=target.id, requests=requests)


def active_target() -> Registry:
    """Return the target that the active configuration names, else the first target. Without any target, raises
    ActionRefusedError."""
    registry = target_of_cluster(declared.own_cluster())
    if registry is None:
        raise ActionRefusedError(NO_TARGET)
    return registry


def refusal_of(source: ImageRef, target: Registry, allowed_hosts: Sequence[str]) -> str:
    """Return why users cannot request copies of an image, and what to do first; empty if they can.

    ``allowed_hosts`` are those of the configuration file. If there are none, all hosts are allowed.
    """
    return refusals(target, allowed_hosts)(source)


def refusals(target: Registry, allowed_hosts: Sequence[str] = ()) -> Callable[[ImageRef], str]:
    """Return a function like ``refusal_of`` for many images, which reads the configured registries only once."""

    @cache
    def registries() -> list[Registry]:
        return list(Registry.objects.filter(role=RegistryRole.SOURCE, enabled=True))

    allowed = AllowedSources(allowed_hosts, lambda host: any(row.covers(host) for row in registries()))
    name = target.target_name

    def refusal(source: ImageRef) -> str:
        if name.contains(source):
            return "it is already at the target: use the reference of its source."
        return allowed.refusal(source.registry)

    return refusal


def _mappings(registry_id: int, requests: Sequence[RequestedCopy]) -> dict[str, ImageMapping]:
    """Insert missing mappings, and return all by source. A source whose target name another source has is missing."""
    targets = {request.source: request.target for request in requests}
    # Sorted, because two transactions that insert the same rows in different orders can deadlock.
    rows = [
        ImageMapping(target_registry_id=registry_id, source=source, target=targets[source])
        for source in sorted(targets)
    ]
    ImageMapping.objects.bulk_create(rows, ignore_conflicts=True)
    found = ImageMapping.objects.filter(target_registry_id=registry_id, source__in=targets)
    return {mapping.source: mapping for mapping in found}


def _failed_recently(requests: Sequence[RequestedCopy], mappings: dict[str, ImageMapping]) -> set[str]:
    """Return the sources whose last job failed or was cancelled a short time ago.

    If that job could not read its source, this applies only to the namespaces that requested it before an
    attempt started, because the credentials of others have not been tried.
    """
    if not requests:
        return set()
    jobs = MirrorJob.objects.filter(
        id__in=[mappings[request.source].last_job_id for request in requests],
        status__in=[JobStatus.FAILED, JobStatus.CANCELLED],
        finished_at__gt=ExpressionWrapper(Now() - RETRY_BLOCKED_FOR, output_field=DateTimeField()),
    )
    failed = {job.mapping_id: job for job in jobs}
    later_attempts = MirrorAttempt.objects.filter(job=OuterRef("job"), started_at__gte=OuterRef("created_at"))
    rows = MirrorRequest.objects.filter(Exists(later_attempts), job__in=failed.values())
    failed_requesters = set(rows.values_list("job__mapping_id", "cluster", "namespace"))
    blocked = {request.source for request in requests if mappings[request.source].id in failed}
    for request in requests:
        job = failed.get(mappings[request.source].id)
        if (
            job
            and job.error_class in UNREADABLE
            and (job.mapping_id, request.cluster, request.namespace) not in failed_requesters
        ):
            blocked.discard(request.source)
    return blocked


def _record_requests(requests: Sequence[RequestedCopy], jobs: dict[str, MirrorJob]) -> None:
    """Record the requesters. A request of a second namespace adds the names of its secrets to the active job."""
    rows = [
        MirrorRequest(
            job_id=jobs[request.source].id,
            cluster=request.cluster,
            namespace=request.namespace,
            service_account=request.service_account,
            secret_names=",".join(sorted(request.secret_names)),
            workload=request.workload,
        )
        for request in requests
        if request.source in jobs
    ]
    rows.sort(key=lambda row: (row.job_id, row.cluster, row.namespace, row.service_account, row.secret_names))
    MirrorRequest.objects.bulk_create(rows, ignore_conflicts=True)


def _outcome(
    request: RequestedCopy, mappings: dict[str, ImageMapping], jobs: dict[str, MirrorJob], created: set[int]
) -> RequestOutcome:
    mapping = mappings.get(request.source)
    if mapping is None:
        return RequestOutcome(request.source, problem="target-name-taken")
    job = jobs.get(request.source)
    if job is not None:
        return RequestOutcome(request.source, mapping.id, job.id, is_new=mapping.id in created)
    return RequestOutcome(request.source, mapping.id, problem="paused" if mapping.paused else "failed-recently")
