"""The division of the hosts' budgets among worker processes, in the database: each process gets what it wants, or a
fair part.

A share is a lease of some seconds. A process renews its shares each second while it sends requests, and returns them
when it is idle; the shares of a stopped process expire. The sum of all shares never exceeds the budget, except for
transfers that were under way when a share expired.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from mirrors.jobs.timing import from_now
from mirrors.models import BudgetShare, HostBudget
from mirrors.oci.distribution.budgets import Demand, Key
from mirrors.vocabulary.bounds import HOST_LENGTH, storable

SHARE_SECONDS: Final = 5.0
"""Seconds until a share expires that is not renewed: several renewals, so that no process loses its share because the
database is slow."""


def renew(worker: str, demands: Mapping[Key, Demand]) -> dict[Key, float]:
    """Replace all shares of this process by new ones for these demands. Returns the granted shares, by budget."""
    storable_demands = {
        (storable(host, HOST_LENGTH), operation): demand for (host, operation), demand in demands.items()
    }
    with transaction.atomic():
        budgets = {(row.host, row.operation): row for row in _locked(storable_demands)}
        BudgetShare.objects.filter(Q(worker=worker) & ~Q(budget__in=budgets.values())).delete()
        others = _others(worker, budgets.values())
        granted = {
            key: share_of(demand, others.get(budgets[key].pk, []), whole=key[1] == "transfer")
            for key, demand in storable_demands.items()
        }
        _write(worker, budgets, storable_demands, granted)
    return dict(zip(demands, granted.values(), strict=True))


def release_shares(worker: str) -> None:
    """Return all shares of a process that no longer sends requests."""
    BudgetShare.objects.filter(worker=worker).delete()


def share_of(demand: Demand, others: Sequence[tuple[float, float]], *, whole: bool = False) -> float:
    """Return the share of a process in a budget. ``others`` has the wanted and granted shares of the other processes.
    The share is the fair part as far as that is free, but at least ``demand.minimum``, which is in use. ``whole``:
    round to whole numbers, for transfers, which cannot be divided."""
    fair = fair_part(demand.limit, demand.wanted, [wanted for wanted, _ in others])
    free = demand.limit - sum(granted for _, granted in others)
    part = min(math.ceil(fair), math.floor(free)) if whole else min(fair, free)
    return max(0.0, demand.minimum, part)


def fair_part(limit: float, own: float, others: Iterable[float]) -> float:
    """Return the part of a process that wants ``own``, by max-min fairness: processes that want less than an equal
    part get all they want, and the others share the rest."""
    remaining = limit
    amounts = sorted([own, *others])
    for index, amount in enumerate(amounts):
        equal = remaining / (len(amounts) - index)
        if amount >= equal:
            return min(own, equal)
        remaining -= amount
    return own


def _locked(demands: Mapping[Key, Demand]) -> list[HostBudget]:
    """Return the rows of these budgets, locked until the transaction ends, always in the same order. Creates missing
    rows."""
    if not demands:
        return []
    condition = Q(pk__in=[])
    for host in sorted({host for host, _ in demands}):
        operations = [operation for name, operation in demands if name == host]
        condition |= Q(host=host, credential="", operation__in=operations)
    rows = HostBudget.objects.filter(condition).order_by("pk").select_for_update()
    found = list(rows)
    if len(found) < len(demands):
        HostBudget.objects.bulk_create(
            [HostBudget(host=host, operation=operation) for host, operation in sorted(demands)], ignore_conflicts=True
        )
        found = list(rows.all())
    _record_limits(found, demands)
    return found


def _record_limits(rows: Iterable[HostBudget], demands: Mapping[Key, Demand]) -> None:
    for row in rows:
        limit = demands[row.host, row.operation].limit
        if row.per_second != limit:
            HostBudget.objects.filter(pk=row.pk).update(per_second=limit, updated_at=Now())


def _others(worker: str, budgets: Collection[HostBudget]) -> dict[int, list[tuple[float, float]]]:
    """Return the wanted and granted shares of the other processes, by budget. Deletes expired shares."""
    shares = BudgetShare.objects.filter(budget__in=budgets)
    shares.filter(expires_at__lte=Now()).delete()
    found: dict[int, list[tuple[float, float]]] = {}
    rows = shares.exclude(worker=worker).values_list("budget_id", "wanted", "granted")
    for budget_id, wanted, granted in rows:
        found.setdefault(budget_id, []).append((wanted, granted))
    return found


def _write(
    worker: str, budgets: Mapping[Key, HostBudget], demands: Mapping[Key, Demand], granted: Mapping[Key, float]
) -> None:
    BudgetShare.objects.bulk_create(
        [
            BudgetShare(
                budget=budgets[key],
                worker=worker,
                wanted=demand.wanted,
                granted=granted[key],
                expires_at=from_now(SHARE_SECONDS),
            )
            for key, demand in demands.items()
        ],
        update_conflicts=True,
        unique_fields=["budget", "worker"],
        update_fields=["wanted", "granted", "expires_at"],
    )
