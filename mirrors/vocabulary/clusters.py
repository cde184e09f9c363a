"""Clusters and their namespaces: the namespace ``shop`` of one cluster is not ``shop`` of another."""

from __future__ import annotations

from typing import Final, NamedTuple

DEFAULT_CLUSTER: Final = "default"
"""The name of a cluster whose configuration does not name it."""

ALL_CLUSTERS: Final = ""
"""The value of ``cluster`` in filters and registries for all clusters that share the database."""

CLUSTER_LENGTH: Final = 63
"""Characters of the longest cluster name, which is a DNS label like a namespace's name."""

CLUSTER_NAMESPACE_LENGTH: Final = 2 * CLUSTER_LENGTH + 1
"""Characters of the longest ``CLUSTER/NAMESPACE``."""


class ClusterNamespace(NamedTuple):
    """A namespace of one cluster. In requests of users, both are empty."""

    cluster: str
    namespace: str

    @classmethod
    def parse(cls, text: str) -> ClusterNamespace | None:
        """Read ``CLUSTER/NAMESPACE``, whatever the case of its letters. Return None for other text."""
        cluster, _, namespace = text.lower().partition("/")
        return cls(cluster, namespace) if cluster and namespace and "/" not in namespace else None

    def __str__(self) -> str:
        return f"{self.cluster}/{self.namespace}"
