"""The clusters that are known, and text that names a namespace of one of them."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Q

from mirrors.models import Registry, RegistryRole
from mirrors.vocabulary.clusters import ClusterNamespace


def known_clusters() -> list[str]:
    """Those whose configuration files have been written; one query."""
    targets = Registry.objects.filter(role=RegistryRole.TARGET).values_list("clusters", flat=True)
    return sorted({name for names in targets for name in names})


def places_in(words: Iterable[str]) -> dict[str, ClusterNamespace]:
    """By word, those that are ``CLUSTER/NAMESPACE`` of a known cluster, as pages print a namespace. At most one query,
    and none for words without a slash."""
    parsed = {word: place for word in words if (place := ClusterNamespace.parse(word)) is not None}
    known = known_clusters() if parsed else ()
    return {word: place for word, place in parsed.items() if place.cluster in known}


def in_namespace(text: str) -> Q:
    """The condition for rows of a namespace: ``shop`` is that of all clusters, ``prod/shop`` that of one."""
    text = text.strip()
    place = places_in([text]).get(text)
    return Q(namespace=text) if place is None else Q(cluster=place.cluster, namespace=place.namespace)
