"""Active filters with one more, or with one changed, as they would be asked once it is saved; and the samples of the
last day to try that on."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
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

_Key = tuple[int, float, float]
"""Where a filter is in the order of evaluation: those of the file first, then by position and number."""


@dataclass(frozen=True, slots=True)
class Chains:
    """The filters of a cluster as they are, and as they would be."""

    before: list[CompiledFilter]
    after: list[CompiledFilter]


@dataclass(frozen=True, slots=True)
class Plan:
    """A filter that is tried for ``cluster``, or for all where that is empty. ``candidate`` is its name; ``row`` is the
    one that is being edited."""

    candidate: str
    cluster: str
    row: Filter | None
    _compiled: CompiledFilter
    _place: _Key
    _known: _Known
    _chains: dict[str, Chains] = field(default_factory=dict)

    def chains(self, cluster: str) -> Chains:
        """Those of a cluster: what is tried is in ``after`` if it is for this cluster."""
        if cluster not in self._chains:
            self._chains[cluster] = self._chains_of(cluster)
        return self._chains[cluster]

    def chain_to_try(self, cluster: str) -> list[CompiledFilter]:
        """With what is tried, also on a pod of a cluster that it is not for: then with the filters of its own."""
        return self.chains(cluster if self.cluster in (ALL_CLUSTERS, cluster) else self.cluster).after

    @property
    def clusters(self) -> set[str]:
        """Those whose pods it has an effect on; empty: all."""
        named = {self.cluster} if self.row is None else {self.cluster, self.row.cluster}
        return set() if ALL_CLUSTERS in named else named

    def _chains_of(self, cluster: str) -> Chains:
        chain = _keyed(self._known.of_cluster(cluster))
        others = [entry for entry in chain if self.row is None or not _is_same(entry.row, self.row)]
        tried = [(self._place, self._compiled)] if self.cluster in (ALL_CLUSTERS, cluster) else []
        after = sorted([*((e.key, e.compiled) for e in others), *tried], key=lambda entry: entry[0])
        return Chains([entry.compiled for entry in chain], [compiled for _, compiled in after])


def plan(
    *, expression: str, row: Filter | None = None, position: int | None = None, cluster: str | None = None
) -> Plan:
    """``row`` is the filter that is being edited; ``position`` and ``cluster`` are those that it would have, by default
    its own, and of a new one those with which it would be saved. Raises InvalidFilterError."""
    compiled = compile_filter(row.name if row else UNSAVED, expression)
    place = _key(row or Filter(), math.inf if row is None else row.pk, position)
    if cluster is None:
        cluster = row.cluster if row else ALL_CLUSTERS
    return Plan(compiled.name, cluster, row, compiled, place, _Known.read())


def impact(asked: Plan) -> Impact:
    """Return the effect of the plan on the pods sampled in the last day, the newest first."""

    def chains(cluster: str) -> tuple[list[CompiledFilter], list[CompiledFilter]]:
        found = asked.chains(cluster)
        return found.before, found.after

    return impact_of(_samples(asked.clusters), chains=chains, candidate=asked.candidate)


def hits(since: datetime) -> Counter[tuple[str, str]]:
    """Images that each filter has excluded since then, by the cluster of a row and its name; those of a filter for all
    clusters are from all of them."""
    counted = DecisionCount.objects.filter(hour__gte=since).exclude(filter="").order_by()
    found: Counter[tuple[str, str]] = Counter()
    for cluster, name, images in counted.values_list("cluster", "filter").annotate(n=Sum("images")):
        found[cluster, name] += images
        found[ALL_CLUSTERS, name] += images
    return found


def filters_in_force(cluster: str) -> list[CompiledFilter]:
    """The filters as reviews of a cluster ask them."""
    return [entry.compiled for entry in _keyed(_Known.read().of_cluster(cluster))]


def rows_in_force() -> list[Filter]:
    """Their rows in that order, of our own cluster: the file's as the active file has them, then the operators' by
    position."""
    return _Known.read().of_cluster(declared.own_cluster())


@dataclass(frozen=True, slots=True)
class _Known:
    """All enabled filters: those of the active file, if there is one, and the rows of the database."""

    of_file: list[Filter] | None
    rows: list[Filter]

    @classmethod
    def read(cls) -> _Known:
        return cls(declared.in_force(Filter), list(Filter.objects.in_force()))

    def of_cluster(self, cluster: str) -> list[Filter]:
        """In the order of evaluation. The active file is that of our own cluster alone."""
        rows = [row for row in self.rows if row.cluster in (ALL_CLUSTERS, cluster)]
        if self.of_file is None or cluster != declared.own_cluster():
            return rows
        return [*self.of_file, *(row for row in rows if row.managed_by != ManagedBy.CONFIG)]


@dataclass(frozen=True, slots=True)
class _Entry:
    row: Filter
    key: _Key
    compiled: CompiledFilter


def _keyed(rows: Iterable[Filter]) -> list[_Entry]:
    entries = []
    for row in rows:
        try:
            entries.append(_Entry(row, _key(row, row.pk or 0), compile_filter(row.name, row.jmespath)))
        except InvalidFilterError:
            # Of another version; webhooks leave it out too.
            continue
    return entries


def _key(row: Filter, pk: float, position: int | None = None) -> _Key:
    is_ours = row.managed_by != ManagedBy.CONFIG
    return int(is_ours), row.position if position is None or not is_ours else position, pk


def _is_same(one: Filter, other: Filter) -> bool:
    """The file's have no keys of the database."""
    return (one.managed_by, one.cluster, one.name) == (other.managed_by, other.cluster, other.name)


def _samples(clusters: Collection[str]) -> Iterator[Sampled]:
    """Of some clusters; empty: of all."""
    of = {"cluster__in": clusters} if clusters else {}
    recent = AdmissionSample.objects.filter(created_at__gte=timezone.now() - IMPACT_AGE, **of).order_by("-id")
    for row in recent[:TRIED_ADMISSIONS]:
        reasons = {(d["container"], d["image"]): d["reason"] for d in row.decisions}
        yield Sampled(row.pk, row.cluster, row.namespace, row.pod_name or row.workload, row.pod, reasons)
