"""Rate limits and the jobs that they delay: jobs that no limit delays, the limit that delays a job, and the number of
jobs that each limit delays."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Greatest

from mirrors.models import PULLS, HostBudget, JobStatus, MirrorJob
from mirrors.selectors.queries.subqueries import rows_counted


def free() -> Q:
    """Return the condition for jobs whose hosts are not rate limited, and accept copies of the jobs' priority. The
    conditions are anti-joins, so their cost does not grow with the number of hosts that pods have named."""
    limited: Sequence[Exists] = [
        Exists(HostBudget.objects.rate_limited().filter(host=OuterRef(field)))
        for field in ("source_host", "target_host")
    ]
    for_low_priority = HostBudget.objects.limited_for_low_priority().filter(held_from__lte=OuterRef("priority"))
    at_source = Exists(for_low_priority.filter(host=OuterRef("source_host"), operation=PULLS))
    at_target = Exists(for_low_priority.filter(host=OuterRef("target_host"), operation=""))
    return ~Q(limited[0]) & ~Q(limited[1]) & ~Q(at_source) & ~Q(at_target)


def limits(job_path: str = "") -> dict[str, Case]:
    """Return annotations for rows of jobs: ``limited_host``, the host whose rate limit delays a queued job, and
    ``limited_until``, the end of the limit. For other rows, ``job_path`` is the path to their job, such as
    ``last_job__``."""
    source, target, priority = (OuterRef(f"{job_path}{name}") for name in ("source_host", "target_host", "priority"))
    is_limited = _any_of(HostBudget.objects.rate_limited())
    is_for_low_priority = _any_of(HostBudget.objects.limited_for_low_priority()) & Q(held_from__lte=priority)
    of_low = Q(host=source, operation=PULLS) | Q(host=target, operation="")
    delaying = HostBudget.objects.filter((is_limited & Q(host__in=[source, target])) | (is_for_low_priority & of_low))
    until_probed = Greatest(Coalesce("probe_until", "resting_until"), "resting_until")
    last = delaying.annotate(until=Case(When(is_limited, then=until_probed), default=F("held_until"))).order_by(
        "-until"
    )
    # Only for queued jobs: the rate limits need not be read for the others.
    is_queued = Q(**{f"{job_path}status": JobStatus.PENDING})
    return {
        "limited_host": Case(When(is_queued, then=Subquery(last.values("host")[:1])), default=None),
        "limited_until": Case(When(is_queued, then=Subquery(last.values("until")[:1])), default=None),
    }


def with_waiting(rows: QuerySet[HostBudget]) -> QuerySet[HostBudget]:
    """Annotate rate limits with ``waiting_jobs``, the number of queued jobs that each limit delays."""
    limited = _any_of(HostBudget.objects.rate_limited())
    for_low_priority = _any_of(HostBudget.objects.limited_for_low_priority())
    at_host = Q(source_host=OuterRef("host")) | Q(target_host=OuterRef("host"))
    low = Q(priority__gte=OuterRef("held_from"))
    return rows.annotate(
        waiting_jobs=Case(
            When(limited, then=_pending(at_host)),
            When(for_low_priority & Q(operation=PULLS), then=_pending(low & Q(source_host=OuterRef("host")))),
            When(for_low_priority & Q(operation=""), then=_pending(low & Q(target_host=OuterRef("host")))),
            default=Value(0),
        )
    )


def _any_of(rows: QuerySet[HostBudget]) -> Q:
    return Q(pk__in=rows.values("pk"))


def _pending(condition: Q) -> Subquery:
    return rows_counted(MirrorJob.objects.filter(condition, status=JobStatus.PENDING))
