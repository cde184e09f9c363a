"""Hosts that limit requests. Until a rate limit ends, no worker claims jobs of its host; after that, one job probes
whether the host accepts requests again.

A short limit fails no copy: the requests of all workers wait. For a minute, copies of low priority are not claimed for
that host either: at first refreshes; if the host limits requests again, also backfills, then delayed copies, then
copies that operators requested.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from django.db.models import Case, F, Min, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Greatest, Least, Now

from mirrors.jobs.timing import from_now, timing
from mirrors.models import HostBudget, Priority
from mirrors.selectors.queries.fixed_query import fixed_query
from mirrors.vocabulary.bounds import HOST_LENGTH, LONGEST_PAUSE, pause_of, storable

LOW_PRIORITY_SECONDS: Final = 60.0
"""Seconds for which no copies of low priority are claimed for a host that limited requests for a short time."""

LIMITED_LATER: Final = (Priority.BACKFILL, Priority.DELAYED, Priority.OPERATOR)
"""The priorities whose copies wait in addition to refreshes: one more each time the host limits requests again. Copies
that pods wait for are never included."""

LIMIT_BURST_SECONDS: Final = 5.0
"""Seconds within which limited requests count as one burst. Only later ones add another priority to those that wait."""


def limit(host: str, seconds: float) -> None:
    """Stop all jobs from sending requests to a host for so many seconds (at most ``LONGEST_PAUSE``). A longer limit
    that the host already has stays."""
    host = storable(host, HOST_LENGTH)
    HostBudget.objects.bulk_create([HostBudget(host=host)], ignore_conflicts=True)
    current_limit = Least(Coalesce("resting_until", Now()), from_now(LONGEST_PAUSE))
    HostBudget.objects.filter(host=host, credential="", operation="").update(
        resting_until=Greatest(current_limit, from_now(pause_of(seconds))), probe_until=None, updated_at=Now()
    )


def limit_briefly(host: str, seconds: float) -> None:
    """Delay all requests to this host for so many seconds, and copies of low priority for a minute. Each
    further burst of limited requests within that minute delays one more priority."""
    host = storable(host, HOST_LENGTH)
    HostBudget.objects.bulk_create([HostBudget(host=host)], ignore_conflicts=True)
    row = HostBudget.objects.filter(host=host, credential="", operation="")
    latest = from_now(LONGEST_PAUSE)
    is_burst = Q(held_until__gt=from_now(LOW_PRIORITY_SECONDS - LIMIT_BURST_SECONDS), held_until__lte=latest)
    is_limited = Q(held_until__gt=Now(), held_until__lte=latest)
    higher_priority = Case(
        *(When(held_from__gt=priority, then=Value(int(priority))) for priority in LIMITED_LATER),
        default=Value(int(LIMITED_LATER[-1])),
    )
    row.update(
        slowed_until=Greatest(Least(Coalesce("slowed_until", Now()), latest), from_now(pause_of(seconds))),
        held_from=Case(
            When(is_burst, then=F("held_from")),
            When(is_limited, then=higher_priority),
            default=Value(int(Priority.REFRESH)),
        ),
        held_until=Case(When(is_burst, then=F("held_until")), default=from_now(LOW_PRIORITY_SECONDS)),
        updated_at=Now(),
    )


def seconds_until_free(hosts: Collection[str]) -> dict[str, float]:
    """Return the seconds until the limits of these hosts end, by host. Usually no host is limited, and one cheap query
    finds that out."""
    if not hosts or not any_limited():
        return {}
    rows = HostBudget.objects.filter(host__in=hosts, credential="", operation="")
    is_limited = Q(pk__in=HostBudget.objects.briefly_limited().values("pk")) | Q(resting_until__gt=Now())
    times = rows.filter(is_limited).values_list("host", "slowed_until", "resting_until", Now())
    found = {host: max((at - now).total_seconds() for at in ends if at) for host, *ends, now in times}
    return {host: seconds for host, seconds in found.items() if 0 < seconds <= LONGEST_PAUSE}


def without_limit(hosts: Collection[str]) -> list[str]:
    """Return those of the briefly limited ``hosts`` whose limit an operator has ended."""
    rows = HostBudget.objects.filter(host__in=hosts, credential="", operation="")
    return list(rows.filter(slowed_until=None, resting_until=None).values_list("host", flat=True))


def begin_probe(hosts: Collection[str]) -> tuple[str, ...] | None:
    """Reserve the probe of those ``hosts`` whose rate limit has ended for the caller's job, and return these hosts.

    Returns None if another job probes one of them. Call this in the transaction of the claim.
    """
    ended_limits = HostBudget.objects.to_probe().filter(host__in=hosts)
    found = list(ended_limits.values_list("pk", "host"))
    if not found:
        return ()
    claimed = ended_limits.filter(pk__in=[key for key, _ in found]).without_probe()
    # Reset the time: one beyond the longest pause counts as ended now, but would later count as a limit again.
    if claimed.update(probe_until=from_now(timing().probe), resting_until=Now()) < len(found):
        return None
    return tuple(sorted({host for _, host in found}))


def end_probe(hosts: Collection[str], *, responded: Collection[str]) -> None:
    """End the rate limit of the probed ``hosts`` that ``responded``, so that other jobs can send them requests. The
    next job probes the others."""
    if not hosts:
        return
    probed = HostBudget.objects.to_probe().filter(host__in=hosts)
    probed.filter(host__in=responded).update(resting_until=None, probe_until=None, updated_at=Now())
    probed.exclude(host__in=responded).update(probe_until=None)


def rate_limited() -> dict[str, datetime]:
    """Return the ends of the current rate limits, by host."""
    rows = HostBudget.objects.rate_limited().filter(resting_until__gt=Now())
    return {host: until for host, until in rows.values_list("host", "resting_until") if until is not None}


def next_free_at() -> datetime | None:
    """Return when the first limit of a host ends: a rate limit or a limit for copies of low priority; None if there are
    no limits."""
    until = Greatest(Coalesce("probe_until", "resting_until"), "resting_until")
    times = [
        HostBudget.objects.rate_limited().aggregate(first=Min(until))["first"],
        HostBudget.objects.limited_for_low_priority().aggregate(first=Min("held_until"))["first"],
    ]
    return min((at for at in times if at is not None), default=None)


def any_limited() -> bool:
    """Return whether any host is limited in any way or waits for a probe. Usually no host is, and callers can skip
    their checks of single hosts."""
    return bool(_limited())


@fixed_query
def _limited() -> QuerySet[HostBudget, Any]:
    return HostBudget.objects.limited().values_list("pk")[:1]
