"""Clusters and their namespaces: ``shop`` of one cluster is not ``shop`` of another."""

from __future__ import annotations

from typing import Final, NamedTuple

DEFAULT_CLUSTER: Final = "default"
"""The name of a cluster whose configuration gives none."""

ALL_CLUSTERS: Final = ""
"""Of operators' filters and registries: each cluster that shares the database."""

CLUSTER_LENGTH: Final = 63
"""Characters of the longest name: it is a DNS label, as those of namespaces."""

PLACE_LENGTH: Final = 2 * CLUSTER_LENGTH + 1
"""Characters of the longest ``CLUSTER/NAMESPACE``."""


class ClusterNamespace(NamedTuple):
    """A namespace of one cluster. Requests of users have neither."""

    cluster: str
    namespace: str

    @classmethod
    def parse(cls, text: str) -> ClusterNamespace | None:
        """``CLUSTER/NAMESPACE``, in any case of letters; None for other text."""
        cluster, _, namespace = text.lower().partition("/")
        return cls(cluster, namespace) if cluster and namespace and "/" not in namespace else None

    def __str__(self) -> str:
        return f"{self.cluster}/{self.namespace}"
