"""The namespaces and clusters for which the credentials of a registry are used: each rule is one case."""

from __future__ import annotations

import pytest

from mirrors.registries.sources import SourceEntry
from mirrors.vocabulary.clusters import ClusterNamespace


@pytest.mark.parametrize(
    ("cluster", "namespaces", "requester", "serves"),
    [
        ("", ["shop"], "a/shop", True),
        ("", ["shop"], "b/shop", True),
        ("", ["shop"], "a/pay", False),
        ("", [], "a/shop", False),
        ("", ["*"], "b/pay", True),
        ("", ["a/shop"], "a/shop", True),
        ("", ["a/shop"], "b/shop", False),
        # A registry of a file, or one that an operator added for one cluster.
        ("a", ["shop"], "a/shop", True),
        ("a", ["shop"], "b/shop", False),
        ("a", ["*"], "a/pay", True),
        ("a", ["*"], "b/pay", False),
        ("a", ["b/shop"], "b/shop", False),
    ],
)
def test_credentials_are_used_only_for_their_clusters_and_namespaces(
    cluster: str, namespaces: list[str], requester: str, serves: bool
) -> None:
    entry = SourceEntry(host="quay.io", cluster=cluster, namespaces=tuple(namespaces))

    assert entry.serves(ClusterNamespace(*requester.split("/"))) is serves
