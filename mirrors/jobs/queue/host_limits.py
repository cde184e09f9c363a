"""Hosts that asked us to wait: no worker claims their jobs until then; then one job finds out whether it is over."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from django.db.models import Exists, Min, OuterRef, Q
from django.db.models.functions import Coalesce, Greatest, Least, Now

from mirrors.jobs.queue.timing import from_now, timing
from mirrors.models import HostBudget
from mirrors.vocabulary.bounds import HOST_LENGTH, LARGEST_INTEGER, LONGEST_PAUSE, pause_of, storable, within

PULLS: Final = "pulls"
MOST_HOSTS: Final = 100
"""Hosts whose limits one process holds back for its next write: redirects name any number."""


def rest(host: str, seconds: float) -> None:
    """Pause a host for so long (at most ``LONGEST_PAUSE``), or for longer where that was asked before."""
    host = storable(host, HOST_LENGTH)
    HostBudget.objects.bulk_create([HostBudget(host=host)], ignore_conflicts=True)
    before = Least(Coalesce("resting_until", Now()), from_now(LONGEST_PAUSE))
    HostBudget.objects.filter(host=host, credential="", operation="").update(
        resting_until=Greatest(before, from_now(pause_of(seconds))), probe_until=None, updated_at=Now()
    )


def begin_probe(hosts: Collection[str]) -> tuple[str, ...] | None:
    """Make the caller's job the one that probes those of its hosts whose pause is over; which ones these are.

    None: another job was quicker. To be called in the transaction of the claim.
    """
    over = HostBudget.objects.to_probe().filter(host__in=hosts)
    found = list(over.values_list("pk", "host"))
    if not found:
        return ()
    mine = over.filter(pk__in=[key for key, _ in found]).without_probe()
    # Without an absurd time of the pause: until the probe ends, "over" has to mean the same.
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


class Allowances:
    """Pulls that registries say are left: heard from any thread, written by those that have a connection."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._heard: dict[str, int] = {}

    def hear(self, host: str, pulls: int) -> None:
        with self._lock:
            # Pods choose hosts: what is kept of them is bounded.
            if host in self._heard or len(self._heard) < MOST_HOSTS:
                self._heard[host] = pulls

    def write(self) -> None:
        """What was heard since the last call."""
        with self._lock:
            heard, self._heard = self._heard, {}
        rows = {storable(host, HOST_LENGTH): within(left, LARGEST_INTEGER) for host, left in heard.items()}
        HostBudget.objects.bulk_create(
            [HostBudget(host=host, operation=PULLS, remaining=left) for host, left in sorted(rows.items())],
            update_conflicts=True,
            unique_fields=["host", "credential", "operation"],
            update_fields=["remaining", "updated_at"],
        )


def resting() -> dict[str, datetime]:
    """Until when, by host."""
    rows = HostBudget.objects.paused().filter(resting_until__gt=Now())
    return {host: until for host, until in rows.values_list("host", "resting_until") if until is not None}


def next_free_at() -> datetime | None:
    """When the first of the paused hosts may be talked to again."""
    until = Greatest(Coalesce("probe_until", "resting_until"), "resting_until")
    found: datetime | None = HostBudget.objects.paused().aggregate(first=Min(until))["first"]
    return found


def free() -> Q:
    """Jobs whose hosts are not paused. Two anti-joins: their cost does not grow with how many hosts pods have named."""
    paused: Sequence[Exists] = [
        Exists(HostBudget.objects.paused().filter(host=OuterRef(field))) for field in ("source_host", "target_host")
    ]
    return ~Q(paused[0]) & ~Q(paused[1])
