"""Jobs that no rate limit keeps from being claimed."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Exists, OuterRef, Q

from mirrors.models import PULLS, HostBudget


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
