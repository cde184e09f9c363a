"""Jobs that no rate limit keeps from being claimed."""

from __future__ import annotations

from collections.abc import Sequence

from django.db.models import Exists, OuterRef, Q

from mirrors.models import PULLS, HostBudget


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
