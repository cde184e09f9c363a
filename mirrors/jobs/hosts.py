"""Hosts that asked to be left alone for a while: no worker claims their jobs until then."""

from __future__ import annotations

import threading
from datetime import datetime
from typing import Final

from django.db.models import Q
from django.db.models.functions import Coalesce, Greatest, Now

from mirrors.jobs.clock import from_now
from mirrors.models import HostBudget

PULLS: Final = "pulls"
MOST_HOSTS: Final = 100


def rest(host: str, seconds: float) -> None:
    """Let a host rest for so long, or for longer where that was asked before."""
    HostBudget.objects.bulk_create([HostBudget(host=host)], ignore_conflicts=True)
    HostBudget.objects.filter(host=host, credential="", operation="").update(
        resting_until=Greatest(Coalesce("resting_until", Now()), from_now(seconds)), updated_at=Now()
    )


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
        HostBudget.objects.bulk_create(
            [HostBudget(host=host, operation=PULLS, remaining=left) for host, left in sorted(heard.items())],
            update_conflicts=True,
            unique_fields=["host", "credential", "operation"],
            update_fields=["remaining", "updated_at"],
        )


def resting() -> dict[str, datetime]:
    """Until when, by host."""
    rows = HostBudget.objects.filter(resting_until__gt=Now())
    return {host: until for host, until in rows.values_list("host", "resting_until") if until is not None}


def touches(hosts: list[str]) -> Q:
    """Jobs that read from or write to one of these hosts."""
    condition = Q(pk__in=[])
    for host in hosts:
        condition |= Q(mapping__source__startswith=f"{host}/") | Q(mapping__target__startswith=f"{host}/")
    return condition
