"""Hosts that limit requests: no worker claims their jobs until then; then one job finds out whether it is over.

A short wait ends no copy: the requests of all workers wait. Meanwhile, and for a minute, copies of low priority
to that host are not claimed: at first those that refresh, if that does not help those of a backfill, then all in the
background, then all but those that pods wait for.
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
"""For how long copies of low priority stay away from a host that limited requests for a short time."""

LIMITED_LATER: Final = (Priority.BACKFILL, Priority.DELAYED, Priority.OPERATOR)
"""Which copies stay away too after the refreshes, one more each time that did not help; those that pods wait for never
do."""

LIMIT_BURST_SECONDS: Final = 5.0
"""Limited requests within so short a time are answers to one burst: more copies stay away only if others follow."""


def limit(host: str, seconds: float) -> None:
    """No job sends requests to a host for so long (at most ``LONGEST_PAUSE``), or for longer if it asked for that."""
    host = storable(host, HOST_LENGTH)
    HostBudget.objects.bulk_create([HostBudget(host=host)], ignore_conflicts=True)
    before = Least(Coalesce("resting_until", Now()), from_now(LONGEST_PAUSE))
    HostBudget.objects.filter(host=host, credential="", operation="").update(
        resting_until=Greatest(before, from_now(pause_of(seconds))), probe_until=None, updated_at=Now()
    )


def limit_briefly(host: str, seconds: float) -> None:
    """All requests to this host wait for so long, copies of low priority for a minute; of more priorities each time."""
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


def waits(hosts: Collection[str]) -> dict[str, float]:
    """Seconds until the limit ends, by host. Most of the time no host is limited, and none is looked for."""
    if not hosts or not exist():
        return {}
    rows = HostBudget.objects.filter(host__in=hosts, credential="", operation="")
    is_limited = Q(pk__in=HostBudget.objects.briefly_limited().values("pk")) | Q(resting_until__gt=Now())
    times = rows.filter(is_limited).values_list("host", "slowed_until", "resting_until", Now())
    found = {host: max((at - now).total_seconds() for at in ends if at) for host, *ends, now in times}
    return {host: seconds for host, seconds in found.items() if 0 < seconds <= LONGEST_PAUSE}


def resumed(hosts: Collection[str]) -> list[str]:
    """Those of hosts that were briefly limited that an operator has resumed since."""
    rows = HostBudget.objects.filter(host__in=hosts, credential="", operation="")
    return list(rows.filter(slowed_until=None, resting_until=None).values_list("host", flat=True))


def begin_probe(hosts: Collection[str]) -> tuple[str, ...] | None:
    """Make the caller's job the one that probes those of its hosts whose rate limit has ended; which ones these are.

    None: another job was quicker. To be called in the transaction of the claim.
    """
    over = HostBudget.objects.to_probe().filter(host__in=hosts)
    found = list(over.values_list("pk", "host"))
    if not found:
        return ()
    mine = over.filter(pk__in=[key for key, _ in found]).without_probe()
    # Without an absurd time: until the probe ends, "over" has to mean the same.
    if mine.update(probe_until=from_now(timing().probe), resting_until=Now()) < len(found):
        return None
    return tuple(sorted({host for _, host in found}))


def end_probe(hosts: Collection[str], *, answered: Collection[str]) -> None:
    """Let other jobs talk to the hosts that answered this one; the next job probes the others."""
    if not hosts:
        return
    mine = HostBudget.objects.to_probe().filter(host__in=hosts)
    mine.filter(host__in=answered).update(resting_until=None, probe_until=None, updated_at=Now())
    mine.exclude(host__in=answered).update(probe_until=None)


def rate_limited() -> dict[str, datetime]:
    """Until when, by host."""
    rows = HostBudget.objects.rate_limited().filter(resting_until__gt=Now())
    return {host: until for host, until in rows.values_list("host", "resting_until") if until is not None}


def next_free_at() -> datetime | None:
    """Return when the first rate limit of a host ends, or the first limit for copies of low priority."""
    until = Greatest(Coalesce("probe_until", "resting_until"), "resting_until")
    times = [
        HostBudget.objects.rate_limited().aggregate(first=Min(until))["first"],
        HostBudget.objects.limited_for_low_priority().aggregate(first=Min("held_until"))["first"],
    ]
    return min((at for at in times if at is not None), default=None)


def exist() -> bool:
    """Whether any host is rate limited in any way, or to be probed. Most of the time none is, and nobody need look at
    each."""
    return bool(_limited())


@fixed_query
def _limited() -> QuerySet[HostBudget, Any]:
    return HostBudget.objects.limited().values_list("pk")[:1]
