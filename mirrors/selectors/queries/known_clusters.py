"""Known clusters, and the parsing of text that names a namespace of a known cluster."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q

from mirrors.models import Registry, RegistryRole
from mirrors.vocabulary.clusters import ClusterNamespace


def known_clusters() -> list[str]:
    """Return the clusters whose configuration files have been written to the database, with one query."""
    targets = Registry.objects.filter(role=RegistryRole.TARGET).values_list("clusters", flat=True)
    return sorted({name for names in targets for name in names})


def namespaces_in(words: Iterable[str]) -> dict[str, ClusterNamespace]:
    """Return, by word, the namespaces of words of the form ``CLUSTER/NAMESPACE`` with a known cluster, as pages print
    them. This takes at most one query, and none for words without a slash."""
    parsed = {word: namespace for word in words if (namespace := ClusterNamespace.parse(word)) is not None}
    clusters = known_clusters() if parsed else ()
    return {word: namespace for word, namespace in parsed.items() if namespace.cluster in clusters}


def in_namespace(text: str) -> Q:
    """Return the condition for rows of a namespace: ``shop`` in all clusters, or ``prod/shop`` in one cluster."""
    text = text.strip()
    namespace = namespaces_in([text]).get(text)
    return Q(namespace=text) if namespace is None else Q(cluster=namespace.cluster, namespace=namespace.namespace)
