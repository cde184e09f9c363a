"""Writes the running images and nodes of a cluster as rows: only changed rows, in sorted batches."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from django.db import transaction
from django.db.models.functions import Now

from mirrors.jobs.timing import from_now
from mirrors.kubernetes.objects.pod_states import NodeState, PodState, TemplateState
from mirrors.models import Cluster, ClusterNode, RunningImage, RunningState
from mirrors.models.base.revisions import Revision
from mirrors.selectors.queries.batches import batched
from mirrors.vocabulary.bounds import storable
from mirrors.watcher.image_sources import ImageSources
from mirrors.watcher.inventory import Inventory
from mirrors.watcher.running_images import ImageRow, Place, key_of, running_rows
from swapper_project.config import Config

WRITTEN_PER_STATEMENT: Final = 500
"""Rows per statement, so that each transaction is short and delays no other."""

RUNNING_ROWS_IN_MEMORY: Final = 2_000
"""Rows that are in memory at a time while all rows are read."""

ENDED_ROWS_EXPIRE_AFTER: Final = 7 * 86_400.0
"""Seconds that a row is kept after its image was last seen: long enough to analyze an incident."""

PULLED_AGE: Final = 3_600.0
"""Seconds until the time of a node's last pull from the target is written again."""

PRUNE_PERIOD: Final = 3_600.0
"""Seconds between deletions of old rows."""

_LENGTHS: Final = {field.name: getattr(field, "max_length", None) for field in RunningImage._meta.get_fields()}
WRITTEN_COLUMNS: Final = ["source", "pods", "nodes", "pod_name", "in_template", "state", "decided_for", "last_seen_at"]
"""The columns that a change writes. ``decided_for`` is cleared, so that ``KeptImages`` decides the row again."""


class RowWriter:
    """The writer of one cluster's rows, in the leading watcher. It first loads the rows of earlier watchers.

    To save memory it keeps only a fingerprint of each row, because most rows do not change.
    """

    def __init__(self, cluster: str, config: Callable[[], Config], is_complete: Callable[[], bool]) -> None:
        self._cluster = cluster
        self._is_complete = is_complete
        self._sources = ImageSources(config)
        self._written: dict[str, bytes] = {}
        self._nodes: dict[str, NodeState] = {}
        self._platforms: list[str] | None = None
        self._pulled: dict[str, float] = {}
        self._seen_changes = -1
        self._seen_complete = False
        self._prune_at = 0.0
        self._load()

    def run(self, inventory: Inventory) -> None:
        """Write the changes of one turn. Raises DatabaseError; the caller must then create a new writer."""
        is_complete = self._is_complete()
        with inventory.lock:
            changes = inventory.changes
            pods, templates = list(inventory.pods.values()), list(inventory.templates.values())
            nodes = dict(inventory.nodes)
        has_new_sources = self._sources.look_up(_images(pods, templates))
        if has_new_sources or changes != self._seen_changes or is_complete != self._seen_complete:
            self._write_images(running_rows(pods, templates, self._sources.source_of), is_complete)
            self._write_nodes(nodes, is_complete)
        self._write_pulls(pods)
        self._write_cluster(pods, nodes, is_complete)
        self._prune()
        self._seen_changes, self._seen_complete = changes, is_complete

    def _load(self) -> None:
        rows = RunningImage.objects.current().filter(cluster=self._cluster)
        fields = rows.values_list("key", "source", "pods", "nodes", "pod_name", "in_template", "state")
        self._written = {
            row[0]: _fingerprint(ImageRow(*row[1:])) for row in fields.iterator(chunk_size=RUNNING_ROWS_IN_MEMORY)
        }
        found = ClusterNode.objects.filter(cluster=self._cluster).values_list("name", "platform", "ready")
        self._nodes = {name: NodeState(name, platform, ready) for name, platform, ready in found}

    def _write_images(self, rows: Mapping[Place, ImageRow], is_complete: bool) -> None:
        keys = {key_of(place): place for place in rows}
        changed = sorted(key for key, place in keys.items() if self._written.get(key) != _fingerprint(rows[place]))
        for batch in batched(changed, WRITTEN_PER_STATEMENT):
            images = [_image(self._cluster, key, keys[key], rows[keys[key]]) for key in batch]
            RunningImage.objects.bulk_create(
                images, update_conflicts=True, unique_fields=["cluster", "key"], update_fields=WRITTEN_COLUMNS
            )
            self._written.update({key: _fingerprint(rows[keys[key]]) for key in batch})
        if is_complete:
            self._mark_ended(sorted(self._written.keys() - keys.keys()))

    def _mark_ended(self, keys: list[str]) -> None:
        """Mark rows as ended. Rows without a digest are deleted: those images never started."""
        for batch in batched(keys, WRITTEN_PER_STATEMENT):
            rows = RunningImage.objects.filter(cluster=self._cluster, key__in=batch)
            with transaction.atomic():
                rows.filter(digest="").delete()
                rows.update(state=RunningState.ENDED, pods=0, nodes=0, in_template=False, last_seen_at=Now())
            for key in batch:
                del self._written[key]

    def _write_nodes(self, nodes: dict[str, NodeState], is_complete: bool) -> None:
        changed = [nodes[name] for name in sorted(nodes) if self._nodes.get(name) != nodes[name]]
        for batch in batched(changed, WRITTEN_PER_STATEMENT):
            rows = [
                ClusterNode(cluster=self._cluster, name=node.name, platform=node.platform, ready=node.ready)
                for node in batch
            ]
            ClusterNode.objects.bulk_create(
                rows, update_conflicts=True, unique_fields=["cluster", "name"], update_fields=["platform", "ready"]
            )
        if is_complete:
            for names in batched(sorted(self._nodes.keys() - nodes.keys()), WRITTEN_PER_STATEMENT):
                ClusterNode.objects.filter(cluster=self._cluster, name__in=names).delete()
            self._nodes = nodes
        else:
            self._nodes = {**self._nodes, **nodes}

    def _write_pulls(self, pods: Iterable[PodState]) -> None:
        """Record the nodes, among those with a row, on which a container with an image of the target has started."""
        now = time.monotonic()
        old = {node for node in self._nodes if now - self._pulled.get(node, float("-inf")) > PULLED_AGE}
        due = {pod.node for pod in pods if pod.node in old and self._has_pulled(pod)}
        for batch in batched(sorted(due), WRITTEN_PER_STATEMENT):
            ClusterNode.objects.filter(cluster=self._cluster, name__in=batch).update(pulled_at=Now())
        self._pulled |= dict.fromkeys(due, now)

    def _has_pulled(self, pod: PodState) -> bool:
        return any(container.started and container.image in self._sources.at_target for container in pod.containers)

    def _write_cluster(self, pods: list[PodState], nodes: Mapping[str, NodeState], is_complete: bool) -> None:
        # Until the nodes are listed, the stored ones count too.
        platforms = sorted({node.platform for node in self._nodes.values() if node.platform})
        values = {
            "pods": sum(not pod.finished for pod in pods),
            "nodes": len(nodes),
            "platforms": platforms,
            **({"listed_at": Now()} if is_complete else {}),
        }
        with transaction.atomic():
            Cluster.objects.filter(name=self._cluster).update(**values)
            if platforms != self._platforms:
                # Webhooks cache the platforms.
                Revision.bump(Cluster)
        self._platforms = platforms

    def _prune(self) -> None:
        if time.monotonic() < self._prune_at:
            return
        self._prune_at = time.monotonic() + PRUNE_PERIOD
        ended = RunningImage.objects.filter(
            cluster=self._cluster, state=RunningState.ENDED, last_seen_at__lt=from_now(-ENDED_ROWS_EXPIRE_AFTER)
        )
        while old := list(ended.values_list("pk", flat=True)[:WRITTEN_PER_STATEMENT]):
            RunningImage.objects.filter(pk__in=old).delete()


def _image(cluster: str, key: str, place: Place, row: ImageRow) -> RunningImage:
    return RunningImage(
        cluster=cluster,
        key=key,
        namespace=_truncate("namespace", place.namespace),
        workload_kind=_truncate("workload_kind", place.kind),
        workload=_truncate("workload", place.workload),
        image=_truncate("image", place.image),
        digest=_truncate("digest", place.digest),
        source=_truncate("source", row.source),
        pods=row.pods,
        nodes=row.nodes,
        pod_name=_truncate("pod_name", row.pod_name),
        in_template=row.in_template,
        state=row.state,
        last_seen_at=Now(),
    )


def _truncate(field: str, text: str) -> str:
    return storable(text, _LENGTHS[field])


def _fingerprint(row: ImageRow) -> bytes:
    return hashlib.blake2b(repr(tuple(row)).encode(errors="replace"), digest_size=8).digest()


def _images(pods: Iterable[PodState], templates: Iterable[TemplateState]) -> set[str]:
    found = {container.image for pod in pods for container in pod.containers}
    return found.union(image for template in templates for image in template.images)
