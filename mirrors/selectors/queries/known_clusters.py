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


def places_in(words: Iterable[str]) -> dict[str, ClusterNamespace]:
    """Return, by word, the namespaces of words of the form ``CLUSTER/NAMESPACE`` with a known cluster, as pages print
    them. This takes at most one query, and none for words without a slash."""
    parsed = {word: place for word in words if (place := ClusterNamespace.parse(word)) is not None}
    known = known_clusters() if parsed else ()
    return {word: place for word, place in parsed.items() if place.cluster in known}


def in_namespace(text: str) -> Q:
    """Return the condition for rows of a namespace: ``shop`` in all clusters, or ``prod/shop`` in one cluster."""
    text = text.strip()
    place = places_in([text]).get(text)
    return Q(namespace=text) if place is None else Q(cluster=place.cluster, namespace=place.namespace)
