"""Filters in force with one more, or with one changed, as they would be asked once it is saved; and the samples of the
last day to try that on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Sum
from django.utils import timezone

from mirrors.filter_trials import Impact, Sampled, impact_of
from mirrors.filters import CompiledFilter, InvalidFilterError, compile_filter
from mirrors.models import AdmissionSample, DecisionCount, Filter, ManagedBy

UNSAVED: Final = "this filter"
SAMPLES: Final = 500
A_DAY: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Plan:
    """The chain as it is, and as it would be. ``candidate`` names what is tried."""

    before: list[CompiledFilter]
    after: list[CompiledFilter]
    candidate: str


def plan(*, expression: str, row: Filter | None = None, position: int | None = None) -> Plan:
    """``row`` is the filter that is being edited; ``position`` the one that it would have, by default its own, and of a
    new one that with which it would be saved. Raises InvalidFilterError."""
    candidate = compile_filter(row.name if row else UNSAVED, expression)
    chain = list(_keyed())
    place = _key(row, position)
    others = [(key, compiled) for key, compiled in chain if row is None or key[2] != row.pk]
    after = sorted([*others, (place, candidate)], key=lambda entry: entry[0])
    return Plan([c for _, c in chain], [c for _, c in after], candidate.name)


def impact(asked: Plan) -> Impact:
    """What the plan comes to for the pods sampled in the last day, the newest first."""
    return impact_of(_samples(), before=asked.before, after=asked.after, candidate=asked.candidate)


def hits(since: datetime) -> dict[str, int]:
    """Images that each filter has left alone since then, by its name."""
    counted = DecisionCount.objects.filter(hour__gte=since).exclude(filter="").order_by()
    return dict(counted.values_list("filter").annotate(n=Sum("images")))


def in_force() -> list[CompiledFilter]:
    """The filters as reviews ask them."""
    return [compiled for _, compiled in _keyed()]


def _keyed() -> Iterator[tuple[tuple[int, float, float], CompiledFilter]]:
    for row in Filter.objects.in_force():
        try:
            yield _key(row, None), compile_filter(row.name, row.jmespath)
        except InvalidFilterError:
            # Of another version; webhooks leave it out too.
            continue


def _key(row: Filter | None, position: int | None) -> tuple[int, float, float]:
    if row is None:
        return 1, Filter().position if position is None else position, math.inf
    is_ours = row.managed_by != ManagedBy.CONFIG
    return int(is_ours), row.position if position is None or not is_ours else position, row.pk


def _samples() -> Iterator[Sampled]:
    recent = AdmissionSample.objects.filter(created_at__gte=timezone.now() - A_DAY).order_by("-id")[:SAMPLES]
    for row in recent:
        reasons = {(d["container"], d["image"]): d["reason"] for d in row.decisions}
        yield Sampled(row.pk, row.namespace, row.pod_name or row.workload, row.pod, reasons)
