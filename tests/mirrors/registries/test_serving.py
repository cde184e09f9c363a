"""Which namespaces of which cluster the credentials of a registry serve: one line a rule."""

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
        # Of a file, or of an operator for one cluster.
        ("a", ["shop"], "a/shop", True),
        ("a", ["shop"], "b/shop", False),
        ("a", ["*"], "a/pay", True),
        ("a", ["*"], "b/pay", False),
        ("a", ["b/shop"], "b/shop", False),
    ],
)
def test_credentials_serve_their_namespaces(cluster: str, namespaces: list[str], requester: str, serves: bool) -> None:
    entry = SourceEntry(host="quay.io", cluster=cluster, namespaces=tuple(namespaces))

    assert entry.serves(ClusterNamespace(*requester.split("/"))) is serves
