"""Active filters with one more, or with one changed, as they would be asked once it is saved; and the samples of the
last day to try that on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Sum
from django.utils import timezone

from mirrors.filters import CompiledFilter, InvalidFilterError, compile_filter
from mirrors.filters.trial import Impact, Sampled, impact_of
from mirrors.models import AdmissionSample, DecisionCount, Filter, ManagedBy
from mirrors.selectors.configuration import declared
from mirrors.vocabulary.clusters import ALL_CLUSTERS

UNSAVED: Final = "this filter"
TRIED_ADMISSIONS: Final = 500
"""Recent admissions that a filter is tried on: what two seconds allow."""

IMPACT_AGE: Final = timedelta(hours=24)
"""Age of those admissions, and of the counts beside them."""


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
    chain = _keyed()
    place = _key(row or Filter(), math.inf if row is None else row.pk, position)
    others = [entry for entry in chain if row is None or not _is_same(entry.row, row)]
    after = sorted([*((e.key, e.compiled) for e in others), (place, candidate)], key=lambda entry: entry[0])
    return Plan([entry.compiled for entry in chain], [compiled for _, compiled in after], candidate.name)


def impact(asked: Plan) -> Impact:
    """Return the effect of the plan on the pods sampled in the last day, the newest first."""
    return impact_of(_samples(), before=asked.before, after=asked.after, candidate=asked.candidate)


def hits(since: datetime) -> Counter[tuple[str, str]]:
    """Images that each filter has excluded since then, by the cluster of a row and its name; those of a filter for all
    clusters are from all of them."""
    counted = DecisionCount.objects.filter(hour__gte=since).exclude(filter="").order_by()
    found: Counter[tuple[str, str]] = Counter()
    for cluster, name, images in counted.values_list("cluster", "filter").annotate(n=Sum("images")):
        found[cluster, name] += images
        found[ALL_CLUSTERS, name] += images
    return found


def filters_in_force() -> list[CompiledFilter]:
    """The filters as reviews ask them."""
    return [entry.compiled for entry in _keyed()]


def rows_in_force() -> list[Filter]:
    """Their rows in that order: the file's as the active file has them, then the operators' by position."""
    rows = list(Filter.objects.in_force())
    of_file = declared.in_force(Filter)
    if of_file is None:
        return rows
    clusters = declared.clusters_of_rows()
    return [*of_file, *(row for row in rows if row.managed_by != ManagedBy.CONFIG and row.cluster in clusters)]


@dataclass(frozen=True, slots=True)
class _Entry:
    row: Filter
    key: tuple[int, float, float]
    compiled: CompiledFilter


def _keyed() -> list[_Entry]:
    entries = []
    for row in rows_in_force():
        try:
            entries.append(_Entry(row, _key(row, row.pk or 0), compile_filter(row.name, row.jmespath)))
        except InvalidFilterError:
            # Of another version; webhooks leave it out too.
            continue
    return entries


def _key(row: Filter, pk: float, position: int | None = None) -> tuple[int, float, float]:
    is_ours = row.managed_by != ManagedBy.CONFIG
    return int(is_ours), row.position if position is None or not is_ours else position, pk


def _is_same(one: Filter, other: Filter) -> bool:
    """The file's have no keys of the database."""
    return (one.managed_by, one.cluster, one.name) == (other.managed_by, other.cluster, other.name)


def _samples() -> Iterator[Sampled]:
    recent = AdmissionSample.objects.filter(created_at__gte=timezone.now() - IMPACT_AGE).order_by("-id")[
        :TRIED_ADMISSIONS
    ]
    for row in recent:
        reasons = {(d["container"], d["image"]): d["reason"] for d in row.decisions}
        yield Sampled(row.pk, row.namespace, row.pod_name or row.workload, row.pod, reasons)
