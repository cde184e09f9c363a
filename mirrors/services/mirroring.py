"""Requests for copies: mapping, job, requester and a wake-up, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import DateTimeField, ExpressionWrapper, OuterRef, Subquery
from django.db.models.functions import Now

from mirrors.models import ErrorClass, ImageMapping, JobStatus, MirrorJob, MirrorRequest, Priority, Trigger
from mirrors.services import quotas as quota
from mirrors.services.wakeup import wake_workers
from mirrors.vocabulary.bounds import host_of
from swapper_project.config import Quotas

REST_AFTER_FAILURE = timedelta(minutes=10)
"""How long pods cannot request a new copy of an image after its last copy failed."""

UNREADABLE = frozenset({ErrorClass.NOT_FOUND, ErrorClass.DENIED, ErrorClass.UNAUTHORIZED})
"""Errors that may not occur with the credentials of another namespace. Registries return "not found" without access."""

UNATTENDED = frozenset({Trigger.ADMISSION, Trigger.REFRESH})


@dataclass(frozen=True, slots=True)
class MirrorOrder:
    """A request to mirror one image. References are canonical."""

    source: str
    target: str
    trigger: str = Trigger.ADMISSION
    priority: int = Priority.DELAYED
    requested_by: str = ""
    namespace: str = ""
    service_account: str = ""
    secret_names: tuple[str, ...] = ()
    workload: str = ""


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """The result of a request: the active job, or why there is none."""

    source: str
    mapping_id: int | None = None
    job_id: int | None = None
    problem: str = ""
    """``target-name-taken``, ``paused``, ``failed-recently``, ``quota``, or empty."""
    is_new: bool = False
    """Whether a user's request created the job. Not known for requests of pods, which are inserted in bulk."""


def request_mirror(*, target_registry_id: int, order: MirrorOrder) -> RequestOutcome:
    """Mirrors one image; while a job of it is active, the outcome has that job."""
    return request_mirrors(target_registry_id=target_registry_id, orders=[order])[0]


def request_mirrors(
    *, target_registry_id: int, orders: Sequence[MirrorOrder], quotas: Quotas | None = None
) -> list[RequestOutcome]:
    """Mirrors images in one transaction; outcomes are in the order of ``orders``.

    Safe from any number of processes at once: the database allows one active job per mapping. ``quotas`` limit the
    requests of pods, not those of users.
    """
    with transaction.atomic():
        over = _over_quota(target_registry_id, orders, quotas) if quotas else set()
        asked, orders = orders, [order for order in orders if order.source not in over]
        mappings = _mappings(target_registry_id, orders)
        # Of several requests for one image, the one with the highest priority is last, and so is used.
        urgent_last = sorted(orders, key=lambda order: -order.priority)
        wanted = {order.source: order for order in urgent_last if order.source in mappings}
        unattended = [order for order in orders if order.trigger in UNATTENDED and order.source in mappings]
        resting = _resting(unattended, mappings)
        attended = {order.source for order in orders if order.trigger not in UNATTENDED}
        startable = {s: o for s, o in wanted.items() if not mappings[s].paused and (s in attended or s not in resting)}
        jobs, made = _live_jobs(startable, mappings)
        _note_requests(orders, mappings, jobs)
        if jobs:
            wake_workers()
    return [
        RequestOutcome(order.source, problem="quota") if order.source in over else _outcome(order, mappings, jobs, made)
        for order in asked
    ]


def _over_quota(registry_id: int, orders: Sequence[MirrorOrder], quotas: Quotas) -> set[str]:
    """Sources that need a new job which none of the requesting namespaces may request now."""
    free = {order.source for order in orders if order.trigger != Trigger.ADMISSION}
    asking: dict[str, set[str]] = {}
    for order in orders:
        asking.setdefault(order.source, set()).add(order.namespace)
    live = MirrorJob.objects.live().filter(mapping__target_registry=registry_id, mapping__source__in=asking)
    free.update(live.values_list("mapping__source", flat=True))
    new = {source: names for source, names in asking.items() if source not in free}
    return quota.refused(sources=new, quotas=quotas) if new else set()


def _mappings(registry_id: int, orders: Sequence[MirrorOrder]) -> dict[str, ImageMapping]:
    """Mapping by source; a source whose target name belongs to another source is missing."""
    targets = {order.source: order.target for order in orders}
    # Sorted, because two transactions that insert the same rows in different orders deadlock.
    rows = [
        ImageMapping(target_registry_id=registry_id, source=source, target=targets[source])
        for source in sorted(targets)
    ]
    ImageMapping.objects.bulk_create(rows, ignore_conflicts=True)
    found = ImageMapping.objects.filter(target_registry_id=registry_id, source__in=targets)
    return {mapping.source: mapping for mapping in found}


def _resting(orders: Sequence[MirrorOrder], mappings: dict[str, ImageMapping]) -> set[str]:
    """Sources whose last job failed or was cancelled a short time ago.

    If that job could not read its source, this applies only to the namespaces that requested it: others may have
    credentials that these lack.
    """
    jobs = MirrorJob.objects.filter(
        id__in=[mappings[order.source].last_job_id for order in orders],
        status__in=[JobStatus.FAILED, JobStatus.CANCELLED],
        finished_at__gt=ExpressionWrapper(Now() - REST_AFTER_FAILURE, output_field=DateTimeField()),
    )
    failed = {job.mapping_id: job for job in jobs}
    asked = set(MirrorRequest.objects.filter(job__in=failed.values()).values_list("job__mapping_id", "namespace"))
    resting = {order.source for order in orders if mappings[order.source].id in failed}
    for order in orders:
        job = failed.get(mappings[order.source].id)
        if job and job.error_class in UNREADABLE and (job.mapping_id, order.namespace) not in asked:
            resting.discard(order.source)
    return resting


def _live_jobs(
    orders: dict[str, MirrorOrder], mappings: dict[str, ImageMapping]
) -> tuple[dict[str, MirrorJob], set[int]]:
    """The active job of each requested mapping, created if there was none, with the priority raised if it was lower.

    Also returns the mappings whose job was created by a user's request.
    """
    missing = dict(orders)
    jobs: dict[str, MirrorJob] = {}
    made: set[int] = set()
    # A job can end between the insert that it stopped and the look for it: then insert once more.
    for _ in range(3):
        if not missing:
            break
        by_mapping = {mappings[source].id: source for source in missing}
        made |= _insert([_new_job(mapping_id, missing[source]) for mapping_id, source in sorted(by_mapping.items())])
        for job in MirrorJob.objects.live().filter(mapping__in=by_mapping).order_by("mapping_id"):
            jobs[by_mapping[job.mapping_id]] = job
            missing.pop(by_mapping[job.mapping_id])
    for source, job in jobs.items():
        if job.priority > orders[source].priority:
            MirrorJob.objects.live().filter(id=job.id).update(priority=orders[source].priority)
    stale = [job.mapping_id for source, job in jobs.items() if mappings[source].last_job_id != job.id]
    live = MirrorJob.objects.live().filter(mapping=OuterRef("pk")).values("id")[:1]
    ImageMapping.objects.filter(id__in=stale).record(last_job_id=Subquery(live))
    return jobs, made


def _insert(jobs: Sequence[MirrorJob]) -> set[int]:
    """Insert jobs whose mapping has no live one; the mappings of those that people ordered and that are new.

    An insert that ignores conflicts does not return the written rows, so jobs of users are inserted one by one.
    """
    MirrorJob.objects.bulk_create([job for job in jobs if job.trigger in UNATTENDED], ignore_conflicts=True)
    made = set()
    for job in jobs:
        if job.trigger in UNATTENDED:
            continue
        try:
            with transaction.atomic():
                job.save(force_insert=True)
        except IntegrityError:
            continue
        made.add(job.mapping_id)
    return made


def _new_job(mapping_id: int, order: MirrorOrder) -> MirrorJob:
    return MirrorJob(
        mapping_id=mapping_id,
        priority=order.priority,
        trigger=order.trigger,
        requested_by=order.requested_by,
        namespace=order.namespace,
        source_host=host_of(order.source),
        target_host=host_of(order.target),
    )


def _note_requests(
    orders: Sequence[MirrorOrder], mappings: dict[str, ImageMapping], jobs: dict[str, MirrorJob]
) -> None:
    """The requesters; a request of a second namespace adds the names of its secrets to the active job."""
    rows = [
        MirrorRequest(
            job_id=jobs[order.source].id,
            namespace=order.namespace,
            service_account=order.service_account,
            secret_names=",".join(sorted(order.secret_names)),
            workload=order.workload,
        )
        for order in orders
        if order.source in jobs
    ]
    rows.sort(key=lambda row: (row.job_id, row.namespace, row.service_account, row.secret_names))
    MirrorRequest.objects.bulk_create(rows, ignore_conflicts=True)


def _outcome(
    order: MirrorOrder, mappings: dict[str, ImageMapping], jobs: dict[str, MirrorJob], made: set[int]
) -> RequestOutcome:
    mapping = mappings.get(order.source)
    if mapping is None:
        return RequestOutcome(order.source, problem="target-name-taken")
    job = jobs.get(order.source)
    if job is not None:
        return RequestOutcome(order.source, mapping.id, job.id, is_new=mapping.id in made)
    return RequestOutcome(order.source, mapping.id, problem="paused" if mapping.paused else "failed-recently")
