"""The drill: applies the rule for one image to all running images of a cluster, in one pass."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db.models import BooleanField, Exists, ExpressionWrapper, F, Q, QuerySet

from mirrors import selectors
from mirrors.images import ImageRef
from mirrors.models import Cluster, ClusterNode, ImageMapping, RunningImage
from mirrors.readiness.drill_results import Drift, Drill, Missing, UnprotectedShare, WorkloadKey
from mirrors.readiness.gaps import Conditions, FoundGap, gap_of, has_changed, kept_by_webhook, suspended
from mirrors.readiness.registry_names import registry_host, unused_registry
from mirrors.readiness.running_manifests import running_manifests
from mirrors.selectors.clusters.clusters import stale_message
from mirrors.selectors.images.mapping_snapshot import MappingSnapshot
from mirrors.vocabulary.kept_reasons import POSTPONED
from swapper_project.config import Config
from swapper_project.process.kill_switch import Switch
from webhook.decision.snapshot import OperatorRows, Snapshot, compose
from webhook.decision.suspensions import RestartLoopKey, TargetState
from webhook.knowledge.from_rows import base_platforms

ROWS_AT_ONCE: Final = 2_000
"""The number of rows that the pass reads at a time: about 1 MB."""

SWAPS_NOTHING: Final = "{cause}: pods are not swapped, so no image is protected."
NOT_DECIDED: Final = (
    "{rows} images have not been compared with filters and opt-outs yet and are counted as swapped: a running "
    "watcher does this within minutes."
)
SCOPE_UNKNOWN: Final = "It is unknown which namespaces are sent to the webhook, so all are assumed to be: {problem}."
INCOMPLETE: Final = "The watcher cannot read all workloads, so some may be missing here: {problem}"


class NotListedError(Exception):
    """No watcher has listed the cluster yet. The message contains the next step."""


@dataclass(frozen=True, slots=True)
class DrillRequest:
    """The parameters of a drill. ``without`` is the host of the unreachable registry; empty: no source can be reached.
    ``max_age`` is in seconds."""

    cluster: str
    without: str = ""
    namespace: str = ""
    max_age: float | None = None
    allows_change: bool = False


def run_drill(request: DrillRequest, config: Config, targets: Iterable[TargetState] | None = None) -> Drill:
    """Run a drill over all running images of a cluster. ``targets`` are the unhealthy targets; they are read from the
    database if not given. Raises NotListedError or RegistryNameError."""
    clusters = _clusters(request.cluster)
    cluster = _listed_cluster(request.cluster, clusters)
    without = registry_host(request.without, config)
    if targets is None:
        targets = (TargetState(*row) for row in selectors.suspended_targets())
    conditions = _conditions(request, cluster, config, tuple(targets))
    rows = RunningImage.objects.current().filter(cluster=cluster.name)
    if request.namespace:
        rows = rows.filter(namespace=request.namespace)
    mappings = _mappings(rows, config)
    conditions = replace(conditions, manifests=running_manifests(rows, mappings))
    drill_pass = _DrillPass(conditions, without, mappings)
    drill_pass.run(rows)
    notices = (
        *_notices(cluster, conditions.snapshot, drill_pass.undecided),
        *unused_registry(without, drill_pass.registries),
    )
    return drill_pass.result(cluster.name, _names_of_listed(clusters), notices)


def _clusters(name: str) -> list[Any]:
    """Return the rows of all clusters, annotated with two facts of the cluster ``name``: whether its nodes have pulled
    from the target, and ``reports_indexes``."""
    pulled = ClusterNode.objects.filter(cluster=name, pulled_at__isnull=False)
    facts: dict[str, Any] = {"nodes_have_pulled": Exists(pulled), "reports_indexes": _reports_indexes(name)}
    return list(Cluster.objects.annotate(**facts).order_by("name"))


def _names_of_listed(clusters: Iterable[Any]) -> tuple[str, ...]:
    return tuple(cluster.name for cluster in clusters if cluster.listed_at is not None)


def _listed_cluster(name: str, clusters: Iterable[Any]) -> Any:
    cluster = next((found for found in clusters if found.name == name), None)
    if cluster is not None and cluster.listed_at is not None:
        return cluster
    if cluster is not None and cluster.problem:
        raise NotListedError(f"The cluster {name} has not been listed yet: {cluster.problem}")
    others = ", ".join(_names_of_listed(clusters))
    raise NotListedError(
        f"No watcher has listed the cluster {name} yet, so its workloads are unknown. Run manage.py watch in it "
        "(part of up and of the chart) and wait for its first list."
        + (f" Clusters that have been listed: {others}." if others else "")
    )


def _conditions(request: DrillRequest, cluster: Any, config: Config, targets: tuple[TargetState, ...]) -> Conditions:
    config = config.model_copy(update={"cluster_name": cluster.name})
    rows = OperatorRows(
        sources=selectors.operator_sources(cluster.name),
        targets=targets,
        loops={RestartLoopKey(*row): end for row, end in selectors.active_loops().items()},
    )
    switch = Switch(settings.ENVIRONMENT)
    snapshot = compose(config, rows, credentials_dir=settings.ENVIRONMENT.credentials_dir, switched_off=switch.is_off())
    return Conditions(
        snapshot=snapshot,
        now=time.time(),
        max_age=config.existence.max_stale if request.max_age is None else request.max_age,
        platforms=frozenset(base_platforms(cluster.platforms)),
        nodes_have_pulled=cluster.nodes_have_pulled,
        reports_indexes=cluster.reports_indexes,
        allows_change=request.allows_change,
    )


def _reports_indexes(cluster: str) -> ExpressionWrapper[Any]:
    """Return an expression for whether an image runs with the digest of an index that has been mirrored."""
    rows = RunningImage.objects.current().filter(cluster=cluster).exclude(digest="")
    indexes = ImageMapping.objects.exclude(platforms=[])
    of_source, of_target = (
        Exists(indexes.filter(**{f"{side}_digest__in": rows.values("digest")})) for side in ("source", "target")
    )
    return ExpressionWrapper(Q(of_source) | Q(of_target), output_field=BooleanField())


def _mappings(rows: QuerySet[RunningImage], config: Config) -> dict[str, MappingSnapshot]:
    """Return the mappings at the configured target, by source."""
    name = config.target.name
    sources = rows.order_by().values_list("source", flat=True).distinct()
    found = selectors.mappings_of_sources(endpoint=name.endpoint, prefix=name.prefix, sources=sources)
    return {mapping.source: mapping for mapping in found}


def _notices(cluster: Cluster, snapshot: Snapshot, undecided: int) -> tuple[str, ...]:
    notices = [stale_message(cluster)] if cluster.is_stale else []
    if undecided:
        notices.append(NOT_DECIDED.format(rows=undecided))
    if cluster.problem:
        notices.append(INCOMPLETE.format(problem="; ".join(cluster.problem.splitlines())))
    if cluster.scope_problem:
        notices.append(SCOPE_UNKNOWN.format(problem=cluster.scope_problem))
    if snapshot.policy.dry_run:
        notices.insert(0, SWAPS_NOTHING.format(cause="dryRun is set"))
    if snapshot.policy.switched_off:
        notices.insert(0, SWAPS_NOTHING.format(cause="Swapping is switched off"))
    return tuple(notices)


class _Row(NamedTuple):
    """A running image. ``owner`` is the key of restart loops: its name is empty for pods without a lasting owner."""

    workload: WorkloadKey
    owner: tuple[str, str, str]
    source: str
    image: str
    digest: str
    kept: str
    kept_details: str
    decided_at: datetime | None
    decided_for: str


@dataclass(slots=True)
class _DrillPass:
    """One pass over the rows. Its memory grows only with the number of workloads and gaps."""

    conditions: Conditions
    without: str
    mappings: dict[str, MappingSnapshot]
    workloads: set[WorkloadKey] = field(default_factory=set)
    missing: set[Missing] = field(default_factory=set)
    """A set, because a workload can have several rows of an image, such as those of its template and its pods."""
    drift: set[Drift] = field(default_factory=set)
    registries: set[str] = field(default_factory=set)
    undecided: int = 0
    """The number of rows for which the watcher has not recorded yet whether new pods would keep the source."""

    def run(self, rows: QuerySet[RunningImage]) -> None:
        for row in _read(rows):
            self.workloads.add(row.workload)
            self.undecided += row.decided_at is None or row.decided_for == POSTPONED
            self._process(row)

    def _process(self, row: _Row) -> None:
        reference, mapping = ImageRef.parse_or_none(row.source), self.mappings.get(row.source)
        if reference is not None:
            self.registries.add(reference.registry)
            if mapping is not None:
                self._compare(row.workload, reference, mapping, row.digest)
            if self.without not in ("", reference.registry):
                return
        found = self._gap_of(row, reference, mapping)
        if found is not None:
            pk = mapping.mapping_id if mapping else None
            self.missing.add(Missing(row.workload, row.source, row.image, found.gap, found.details, pk, found.kept))

    def _gap_of(self, row: _Row, reference: ImageRef | None, mapping: MappingSnapshot | None) -> FoundGap | None:
        """Return the gap of a row. Gaps that mirroring cannot close have precedence; suspended swaps, which end by
        themselves or affect all images, are checked last."""
        if row.kept:
            return kept_by_webhook(row.kept, row.kept_details)
        found = gap_of(reference, mapping, row.workload.namespace, row.digest, self.conditions)
        if found is not None or reference is None:
            return found
        return suspended(row.owner, reference, self.conditions)

    def _compare(self, workload: WorkloadKey, source: ImageRef, mapping: MappingSnapshot, digest: str) -> None:
        if has_changed(source, mapping, digest, self.conditions):
            digests = (digest, mapping.source_digest, mapping.target_digest)
            self.drift.add(Drift(workload, mapping.source, *digests, mapping.mapping_id))

    def result(self, cluster: str, clusters: tuple[str, ...], notices: tuple[str, ...]) -> Drill:
        unprotected = {row.workload for row in self.missing}
        workloads_by_namespace = Counter(key.namespace for key in self.workloads)
        unprotected_by_namespace = Counter(key.namespace for key in unprotected)
        return Drill(
            cluster=cluster,
            without=self.without,
            taken_at=self.conditions.now,
            total=UnprotectedShare(len(self.workloads), len(unprotected)),
            namespaces={
                name: UnprotectedShare(workloads, unprotected_by_namespace[name])
                for name, workloads in sorted(workloads_by_namespace.items())
            },
            missing=tuple(sorted(self.missing, key=lambda row: row[:4])),
            drift=tuple(sorted(self.drift, key=lambda row: row[:3])),
            registries=tuple(sorted(self.registries)),
            clusters=clusters,
            notices=notices,
        )


def _read(rows: QuerySet[RunningImage]) -> Iterator[_Row]:
    """Yield the rows, ordered by source, so that the same reference is not parsed repeatedly."""
    names = ("namespace", "workload_kind", "workload", "pod_name", "source", "image", "digest")
    found = rows.order_by(F("source")).values_list(*names, "kept", "kept_details", "decided_at", "decided_for")
    for namespace, kind, name, pod, *rest in found.iterator(chunk_size=ROWS_AT_ONCE):
        key = WorkloadKey(namespace, kind, name) if name else WorkloadKey(namespace, kind or "Pod", pod)
        yield _Row(key, (namespace, kind, name), *rest)
