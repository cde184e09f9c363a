"""The effect of saving a new or changed filter: all active filters, evaluated on the samples of the last day."""

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
from mirrors.filters.trial import Impact, SampledAdmission, impact_of
from mirrors.models import AdmissionSample, DecisionCount, Filter, ManagedBy
from mirrors.selectors.configuration import declared
from mirrors.vocabulary.clusters import ALL_CLUSTERS

UNSAVED: Final = "this filter"
TRIED_ADMISSIONS: Final = 500
"""The most recent admissions that a filter is tried on: as many as fit in two seconds."""

IMPACT_AGE: Final = timedelta(hours=24)
"""The maximum age of these admissions, and of the counts shown next to them."""

_Key = tuple[int, float, float]
"""The sort key of a filter in the order of evaluation: those of the file first, then by position and primary key."""


@dataclass(frozen=True, slots=True)
class Chains:
    """The filters of a cluster as they are, and as they would be after the change."""

    before: list[CompiledFilter]
    after: list[CompiledFilter]


@dataclass(frozen=True, slots=True)
class Plan:
    """A filter that is tried for ``cluster`` (empty: for all clusters). ``candidate`` is its name; ``row`` is the
    filter that is being edited, or None for a new one."""

    candidate: str
    cluster: str
    row: Filter | None
    _compiled: CompiledFilter
    _sort_key: _Key
    _enabled: _EnabledFilters
    _chains: dict[str, Chains] = field(default_factory=dict)

    def chains(self, cluster: str) -> Chains:
        """Return the chains of a cluster. The tried filter is in ``after`` if it applies to the cluster."""
        if cluster not in self._chains:
            self._chains[cluster] = self._chains_of(cluster)
        return self._chains[cluster]

    def chain_to_try(self, cluster: str) -> list[CompiledFilter]:
        """Return the filters with the tried one, for a pod of a cluster. If the tried filter does not apply to that
        cluster, return the filters of the filter's own cluster."""
        return self.chains(cluster if self.cluster in (ALL_CLUSTERS, cluster) else self.cluster).after

    @property
    def clusters(self) -> set[str]:
        """The clusters whose pods the change can affect; empty: all."""
        named = {self.cluster} if self.row is None else {self.cluster, self.row.cluster}
        return set() if ALL_CLUSTERS in named else named

    def _chains_of(self, cluster: str) -> Chains:
        chain = _keyed(self._enabled.of_cluster(cluster))
        others = [entry for entry in chain if self.row is None or not _is_same_filter(entry.row, self.row)]
        tried = [(self._sort_key, self._compiled)] if self.cluster in (ALL_CLUSTERS, cluster) else []
        after = sorted([*((e.key, e.compiled) for e in others), *tried], key=lambda entry: entry[0])
        return Chains([entry.compiled for entry in chain], [compiled for _, compiled in after])


def plan(
    *, expression: str, row: Filter | None = None, position: int | None = None, cluster: str | None = None
) -> Plan:
    """Return a plan to save an expression. ``row`` is the filter that is being edited. ``position`` and ``cluster``
    default to those of ``row``, or to those of a new filter. Raise InvalidFilterError if the expression is invalid."""
    compiled = compile_filter(row.name if row else UNSAVED, expression)
    sort_key = _key(row or Filter(), math.inf if row is None else row.pk, position)
    if cluster is None:
        cluster = row.cluster if row else ALL_CLUSTERS
    return Plan(compiled.name, cluster, row, compiled, sort_key, _EnabledFilters.read())


def impact(plan_to_evaluate: Plan) -> Impact:
    """Return the effect of the plan on the pods sampled in the last day, the newest first."""

    def chains(cluster: str) -> tuple[list[CompiledFilter], list[CompiledFilter]]:
        chains_of_cluster = plan_to_evaluate.chains(cluster)
        return chains_of_cluster.before, chains_of_cluster.after

    return impact_of(_samples(plan_to_evaluate.clusters), chains=chains, candidate=plan_to_evaluate.candidate)


def hits(since: datetime) -> Counter[tuple[str, str]]:
    """Return the number of images that each filter has excluded since a time, by cluster and name of the filter. For
    filters of all clusters, the number is the sum over all clusters."""
    counted = DecisionCount.objects.filter(hour__gte=since).exclude(filter="").order_by()
    counts: Counter[tuple[str, str]] = Counter()
    for cluster, name, images in counted.values_list("cluster", "filter").annotate(n=Sum("images")):
        counts[cluster, name] += images
        counts[ALL_CLUSTERS, name] += images
    return counts


def active_filters(cluster: str) -> list[CompiledFilter]:
    """Return the filters in the order in which reviews of a cluster evaluate them."""
    return [entry.compiled for entry in _keyed(_EnabledFilters.read().of_cluster(cluster))]


def active_filter_rows() -> list[Filter]:
    """Return the rows of the active filters of this process's cluster in the order of evaluation: those of the active
    file, then those of operators by position."""
    return _EnabledFilters.read().of_cluster(declared.own_cluster())


@dataclass(frozen=True, slots=True)
class _EnabledFilters:
    """All enabled filters: those of the active file, if there is one, and the rows of the database."""

    of_file: list[Filter] | None
    rows: list[Filter]

    @classmethod
    def read(cls) -> _EnabledFilters:
        return cls(declared.active_rows(Filter), list(Filter.objects.active()))

    def of_cluster(self, cluster: str) -> list[Filter]:
        """Return the filters of a cluster in evaluation order. The file applies only to this process's cluster."""
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
            # The expression is from another version; webhooks leave it out too.
            continue
    return entries


def _key(row: Filter, pk: float, position: int | None = None) -> _Key:
    is_ours = row.managed_by != ManagedBy.CONFIG
    return int(is_ours), row.position if position is None or not is_ours else position, pk


def _is_same_filter(first: Filter, second: Filter) -> bool:
    """Return whether two rows are the same filter, without keys, because filters of the file have none."""
    return (first.managed_by, first.cluster, first.name) == (second.managed_by, second.cluster, second.name)


def _samples(clusters: Collection[str]) -> Iterator[SampledAdmission]:
    """Yield the recent samples of the clusters (empty: of all clusters), newest first."""
    scope = {"cluster__in": clusters} if clusters else {}
    recent = AdmissionSample.objects.filter(created_at__gte=timezone.now() - IMPACT_AGE, **scope).order_by("-id")
    for row in recent[:TRIED_ADMISSIONS]:
        reasons = {(d["container"], d["image"]): d["reason"] for d in row.decisions}
        yield SampledAdmission(row.pk, row.cluster, row.namespace, row.pod_name or row.workload, row.pod, reasons)
