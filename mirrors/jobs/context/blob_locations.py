"""The locations of blobs, as rows: which repositories have a blob, and who may read all images of a repository."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import QuerySet
from django.db.models.functions import Now

from mirrors.models import Access, BlobLocation, ImageMapping, MappingAccess, Registry, RegistryRole
from mirrors.oci import Audience
from mirrors.selectors.queries.fixed_query import Argument, fixed_query
from mirrors.vocabulary.clusters import ClusterNamespace

CANDIDATES: Final = 4
"""The maximum number of repositories from which mounting a blob is tried. The first one nearly always has the blob."""

MOST_MAPPINGS_CHECKED: Final = 200
"""The maximum number of mappings of a repository whose access is checked before a blob is mounted from it. Repositories
with more mappings are skipped."""

Blob = tuple[str, str, str]
"""Registry, digest, repository."""


@fixed_query
def located_blobs(*digests: Argument) -> QuerySet[BlobLocation, Any]:
    """Return registry and digest of those blobs that have a location at a target."""
    rows = BlobLocation.objects.filter(registry__role=RegistryRole.TARGET, digest__in=digests)
    return rows.values_list("registry__endpoint", "digest").distinct()


def _locations(registry: str, digest: str) -> QuerySet[BlobLocation]:
    return BlobLocation.objects.filter(
        registry__endpoint=registry, registry__role=RegistryRole.TARGET, digest=digest
    ).order_by("-seen_at")


def holds(registry: str, digest: str, repository: str) -> bool:
    """Return whether a copy has put the blob into this repository."""
    return _locations(registry, digest).filter(repository=repository).exists()


def readable_repositories(
    registry: str, digest: str, known_repositories: list[str], audience: Audience | None
) -> list[str]:
    """Return the repositories from which the blob can be mounted for ``audience``: of the known ones, if any are known,
    else of those in the database."""
    candidates = known_repositories or list(
        _locations(registry, digest).values_list("repository", flat=True)[:CANDIDATES]
    )
    if audience is None:
        return candidates
    return [repository for repository in candidates if _is_readable(registry, repository, audience)]


def _is_readable(registry: str, repository: str, audience: Audience) -> bool:
    """Return whether everyone in ``audience`` has access to each image of the repository: it is not known to which
    of the images a blob belongs."""
    at_targets = ImageMapping.objects.filter(target_registry__role=RegistryRole.TARGET)
    mappings = at_targets.in_repositories([f"{registry}/{repository}"])
    rows = list(mappings.values_list("id", "source", "access")[: MOST_MAPPINGS_CHECKED + 1])
    if not rows or len(rows) > MOST_MAPPINGS_CHECKED:
        return False
    granted = MappingAccess.objects.filter(
        mapping__in=[pk for pk, _, _ in rows], granted=True, namespace__in={n.namespace for n in audience.namespaces}
    )
    by_mapping: dict[int, set[ClusterNamespace]] = {}
    for mapping_id, cluster, namespace in granted.values_list("mapping_id", "cluster", "namespace"):
        by_mapping.setdefault(mapping_id, set()).add(ClusterNamespace(cluster, namespace))
    return all(_may_read(source, access, by_mapping.get(pk, set()), audience) for pk, source, access in rows)


def _may_read(source: str, access: str, granted: set[ClusterNamespace], audience: Audience) -> bool:
    if access == Access.ANONYMOUS:
        return True
    if audience.is_public:
        return False
    if audience.configured_host:
        return access == Access.CONFIGURED and source.startswith(f"{audience.configured_host}/")
    return bool(audience.namespaces) and audience.namespaces <= granted


def write(blobs: list[Blob]) -> None:
    """Write the locations. The blobs must be sorted: writers that lock the same rows in different orders deadlock."""
    hosts = {registry for registry, _, _ in blobs}
    targets = Registry.objects.filter(role=RegistryRole.TARGET, endpoint__in=hosts).order_by("enabled", "-id")
    ids = dict(targets.values_list("endpoint", "id"))
    BlobLocation.objects.bulk_create(
        [
            BlobLocation(registry_id=ids[registry], digest=digest, repository=repository, seen_at=Now())
            for registry, digest, repository in blobs
            if registry in ids
        ],
        update_conflicts=True,
        unique_fields=["registry", "digest", "repository"],
        update_fields=["seen_at"],
    )
