"""Jobs that no rate limit keeps from being claimed, which limit keeps a job, and how many jobs each limit keeps."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Greatest

from mirrors.models import PULLS, HostBudget, JobStatus, MirrorJob
from mirrors.selectors.queries.subqueries import rows_counted


def free() -> Q:
    """Jobs whose hosts are not rate limited, and take copies of their priority. Anti-joins: their cost does not grow
    with how many hosts pods have named."""
    limited: Sequence[Exists] = [
        Exists(HostBudget.objects.rate_limited().filter(host=OuterRef(field)))
        for field in ("source_host", "target_host")
    ]
    for_low_priority = HostBudget.objects.limited_for_low_priority().filter(held_from__lte=OuterRef("priority"))
    at_source = Exists(for_low_priority.filter(host=OuterRef("source_host"), operation=PULLS))
    at_target = Exists(for_low_priority.filter(host=OuterRef("target_host"), operation=""))
    return ~Q(limited[0]) & ~Q(limited[1]) & ~Q(at_source) & ~Q(at_target)


def limits(of_job: str = "") -> dict[str, Case]:
    """Of a queued job the host whose rate limit keeps it from being claimed, and until when: ``limited_host`` and
    ``limited_until``. Of other rows those of the job at ``of_job``, such as ``last_job__``."""
    source, target, priority = (OuterRef(f"{of_job}{name}") for name in ("source_host", "target_host", "priority"))
    is_limited = _any_of(HostBudget.objects.rate_limited())
    is_for_low_priority = _any_of(HostBudget.objects.limited_for_low_priority()) & Q(held_from__lte=priority)
    of_low = Q(host=source, operation=PULLS) | Q(host=target, operation="")
    keeping = HostBudget.objects.filter((is_limited & Q(host__in=[source, target])) | (is_for_low_priority & of_low))
    until_probed = Greatest(Coalesce("probe_until", "resting_until"), "resting_until")
    last = keeping.annotate(until=Case(When(is_limited, then=until_probed), default=F("held_until"))).order_by("-until")
    # Of queued jobs alone: the others need no look at the rate limits.
    is_queued = Q(**{f"{of_job}status": JobStatus.PENDING})
    return {
        "limited_host": Case(When(is_queued, then=Subquery(last.values("host")[:1])), default=None),
        "limited_until": Case(When(is_queued, then=Subquery(last.values("until")[:1])), default=None),
    }


def with_waiting(rows: QuerySet[HostBudget]) -> QuerySet[HostBudget]:
    """Rate limits with the number of queued jobs that each keeps from being claimed, as ``waiting_jobs``."""
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
