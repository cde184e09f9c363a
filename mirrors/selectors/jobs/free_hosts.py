"""Jobs that no rate limit keeps from being claimed, which limit keeps a job, and how many jobs each limit keeps."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Case, Exists, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Greatest

from mirrors.models import PULLS, HostBudget, JobStatus, MirrorJob
from mirrors.selectors.queries.subqueries import rows_counted


def free() -> Q:
    """Jobs whose hosts are not paused, and take copies of their priority. Anti-joins: their cost does not grow with how
    many hosts pods have named."""
    paused: Sequence[Exists] = [
        Exists(HostBudget.objects.paused().filter(host=OuterRef(field))) for field in ("source_host", "target_host")
    ]
    held = HostBudget.objects.held().filter(held_from__lte=OuterRef("priority"))
    low = Exists(held.filter(host=OuterRef("source_host"), operation=PULLS))
    limited = Exists(held.filter(host=OuterRef("target_host"), operation=""))
    return ~Q(paused[0]) & ~Q(paused[1]) & ~Q(low) & ~Q(limited)


def limits(of_job: str = "") -> dict[str, Case]:
    """Of a queued job the host whose rate limit keeps it from being claimed, and until when: ``limited_host`` and
    ``limited_until``. Of other rows those of the job at ``of_job``, such as ``last_job__``."""
    source, target, priority = (OuterRef(f"{of_job}{name}") for name in ("source_host", "target_host", "priority"))
    is_paused = Q(pk__in=HostBudget.objects.paused().values("pk"))
    is_held = Q(pk__in=HostBudget.objects.held().values("pk"), held_from__lte=priority)
    of_low = Q(host=source, operation=PULLS) | Q(host=target, operation="")
    keeping = HostBudget.objects.filter((is_paused & Q(host__in=[source, target])) | (is_held & of_low))
    of_pause = Greatest(Coalesce("probe_until", "resting_until"), "resting_until")
    last = keeping.annotate(until=Case(When(is_paused, then=of_pause), default=F("held_until"))).order_by("-until")
    # Of queued jobs alone: the others need no look at the rate limits.
    is_queued = Q(**{f"{of_job}status": JobStatus.PENDING})
    return {
        "limited_host": Case(When(is_queued, then=Subquery(last.values("host")[:1])), default=None),
        "limited_until": Case(When(is_queued, then=Subquery(last.values("until")[:1])), default=None),
    }


def with_waiting(rows: QuerySet[HostBudget]) -> QuerySet[HostBudget]:
    """Rate limits with the number of queued jobs that each keeps from being claimed, as ``waiting_jobs``."""
    paused = Q(pk__in=HostBudget.objects.paused().values("pk"))
    held = Q(pk__in=HostBudget.objects.held().values("pk"))
    at_host = Q(source_host=OuterRef("host")) | Q(target_host=OuterRef("host"))
    low = Q(priority__gte=OuterRef("held_from"))
    return rows.annotate(
        waiting_jobs=Case(
            When(paused, then=_pending(at_host)),
            When(held & Q(operation=PULLS), then=_pending(low & Q(source_host=OuterRef("host")))),
            When(held & Q(operation=""), then=_pending(low & Q(target_host=OuterRef("host")))),
            default=Value(0),
        )
    )


def _pending(condition: Q) -> Subquery:
    return rows_counted(MirrorJob.objects.filter(condition, status=JobStatus.PENDING))
