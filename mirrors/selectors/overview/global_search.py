"""The global search: a few images, jobs, namespaces and workloads that match."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from django.db import connection
from django.db.models import QuerySet, Subquery

from mirrors.models import ImageMapping, ImageUse, MirrorJob, RunningImage
from mirrors.selectors.queries.known_clusters import namespaces_in
from mirrors.selectors.queries.search import job_number, search
from mirrors.vocabulary.clusters import ClusterNamespace

MOST_RESULTS: Final = 5
"""The most results of each kind, because the panel next to the page has little room."""

NAMESPACES_SEARCHED: Final = 10_000
"""The most namespaces that are searched: more than a cluster has."""

NAMESPACES_OF_CLUSTER: Final = 50
"""The most matching namespaces for which the search checks whether the cluster has them: more than the panel shows."""

WORKLOADS_SEARCHED: Final = 100
"""The most matching rows of workloads that are read: a workload has one row for each of its images."""

_NAMESPACES: Final = """
WITH RECURSIVE names(name) AS (
    SELECT min(namespace) FROM mirrors_imageuse
    UNION ALL
    SELECT (SELECT min(namespace) FROM mirrors_imageuse WHERE namespace > names.name) FROM names WHERE name IS NOT NULL
)
SELECT name FROM names WHERE name IS NOT NULL LIMIT %s
"""
"""Selects each namespace once, with one index lookup per namespace. DISTINCT would read a million rows."""


@dataclass(frozen=True, slots=True)
class FoundWorkload:
    """A workload. ``is_admitted``: the webhook has reviewed its pods; otherwise only a watcher has listed it."""

    cluster: str
    namespace: str
    kind: str
    name: str
    is_admitted: bool

    @property
    def key(self) -> tuple[str, str, str, str]:
        return self.cluster, self.namespace, self.kind, self.name


@dataclass(frozen=True, slots=True)
class SearchResults:
    """A few results of each kind, the newest first; namespaces are ordered by name."""

    images: Sequence[ImageMapping]
    jobs: Sequence[MirrorJob]
    namespaces: Sequence[str]
    workloads: Sequence[FoundWorkload]

    def __bool__(self) -> bool:
        return bool(self.images or self.jobs or self.namespaces or self.workloads)


def find_everywhere(words: Sequence[str]) -> SearchResults:
    """Return the rows that contain all words. A number also finds the job with that number."""
    return SearchResults(
        images=list(search(ImageMapping.objects.order_by("-id"), words, ["source", "target"])[:MOST_RESULTS]),
        jobs=_jobs(words),
        namespaces=_namespaces_by(words),
        workloads=_workloads(words),
    )


def _jobs(words: Sequence[str]) -> list[MirrorJob]:
    rows = MirrorJob.objects.select_related("mapping").order_by("-id")
    number = job_number(words)
    exact = [] if number is None else list(rows.filter(pk=number))
    others = search(rows, words, ["mapping__source"])[:MOST_RESULTS]
    return [*exact, *(job for job in others if job not in exact)][:MOST_RESULTS]


def _namespaces_by(words: Sequence[str]) -> list[str]:
    """Return the namespaces whose names contain all words; for ``CLUSTER/NAMESPACE``, only those of the cluster."""
    if len(words) == 1 and (namespace := namespaces_in(words).get(words[0])):
        named = [name for name in _namespaces() if namespace.namespace in name]
        # The exact match is first.
        named.sort(key=lambda name: name != namespace.namespace)
        used = _used_in(namespace.cluster, named[:NAMESPACES_OF_CLUSTER])
        return [str(ClusterNamespace(namespace.cluster, name)) for name in named if name in used][:MOST_RESULTS]
    return [name for name in _namespaces() if all(word.lower() in name for word in words)][:MOST_RESULTS]


def _used_in(cluster: str, namespaces: Sequence[str]) -> set[str]:
    """Return those of the namespaces in which the cluster has workloads, with one index lookup per namespace."""
    cluster_uses = ImageUse.objects.filter(cluster=cluster).order_by()
    rows = [Subquery(cluster_uses.filter(namespace=name).values("pk")[:1]) for name in namespaces]
    return set(ImageUse.objects.filter(pk__in=rows).values_list("namespace", flat=True)) if rows else set()


def _namespaces() -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(_NAMESPACES, [NAMESPACES_SEARCHED])
        return [name for (name,) in cursor.fetchall()]


def _workloads(words: Sequence[str]) -> list[FoundWorkload]:
    """Return admitted workloads first, then those that only a watcher has listed, for example because their pods
    started before the webhook was installed."""
    # Search by name first, because conditions on two columns cost the database several times as much.
    return _workloads_by(words, ["workload"]) or _workloads_by(words, ["namespace", "workload"])


def _workloads_by(words: Sequence[str], fields: Sequence[str]) -> list[FoundWorkload]:
    found = {row.key: row for row in _rows_of(ImageUse.objects.all(), words, fields, is_admitted=True)}
    if len(found) < MOST_RESULTS:
        for row in _rows_of(RunningImage.objects.current(), words, fields, is_admitted=False):
            found.setdefault(row.key, row)
    return list(found.values())[:MOST_RESULTS]


def _rows_of(
    rows: QuerySet[ImageUse] | QuerySet[RunningImage], words: Sequence[str], fields: Sequence[str], *, is_admitted: bool
) -> Iterator[FoundWorkload]:
    columns = ("cluster", "namespace", "workload_kind", "workload")
    matching = search(rows.exclude(workload=""), words, fields).order_by("-id").values_list(*columns)
    for cluster, namespace, kind, name in matching[:WORKLOADS_SEARCHED]:
        yield FoundWorkload(cluster, namespace, kind, name, is_admitted)
