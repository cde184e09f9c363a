"""Lists the referrers of a manifest: by the registry's referrers API, or by the fallback tag."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from mirrors.oci.common import descriptors, manifests
from mirrors.oci.common.errors import RegistryError
from mirrors.oci.common.request_urls import Url
from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.referrers.kinds import Referrer, fallback_tag

MAX_PAGES: Final = 50
"""The maximum number of pages of one list; registries put 50 to 1,000 entries on a page."""

MAX_LISTED: Final = 5_000
"""The maximum number of listed referrers of one manifest; busy manifests have a few hundred."""


@dataclass(slots=True)
class Listed:
    """A list of referrers. `odd` is the number of entries that cannot be copied: the algorithm of their digest is
    unknown, or they have no size, or an invalid media type."""

    referrers: list[Referrer] = field(default_factory=list)
    odd: int = 0

    def __len__(self) -> int:
        return len(self.referrers) + self.odd

    def add(self, other: Listed) -> None:
        self.referrers += other.referrers
        self.odd += other.odd


def referrers_of(client: RegistryClient, repository: str, digest: str) -> Listed:
    """Return all listed referrers. Raises RegistryError: a registry that fails is not one without referrers."""
    listed = by_api(client, repository, digest)
    return by_tag(client, repository, digest) if listed is None else listed


def by_api(client: RegistryClient, repository: str, digest: str) -> Listed | None:
    """Return the referrers of all pages; None if the registry has no referrers API."""
    page = client.get_referrers(repository, digest)
    if page is None:
        return None
    host = client.access.host
    listed = entries(page.body, host)
    seen: set[Url] = set()
    while page is not None and page.following is not None:
        if page.following in seen or len(seen) >= MAX_PAGES or len(listed) > MAX_LISTED:
            raise RegistryError("invalid", f"the list of referrers of {digest} at {host} does not end", host=host)
        seen.add(page.following)
        page = client.get_referrers(repository, digest, page)
        if page is not None:
            listed.add(entries(page.body, host))
    return listed


def by_tag(client: RegistryClient, repository: str, digest: str) -> Listed:
    """Return the referrers under the fallback tag; none if the tag does not exist."""
    found = at_fallback_tag(client, repository, digest)
    return Listed() if found is None or is_itself(found, digest) else entries(found, client.access.host)


def at_fallback_tag(client: RegistryClient, repository: str, digest: str) -> bytes | None:
    """Return the bytes under the fallback tag; None if the tag does not exist."""
    try:
        return client.get_bytes(repository, fallback_tag(digest))
    except RegistryError as error:
        if error.code == "not-found":
            return None
        raise


def is_itself(found: bytes, subject: str) -> bool:
    """Return whether a registry responded with the subject itself: GitLab reads a tag `sha256-<hex>` as the digest."""
    return descriptors.digest_of(found, subject.partition(":")[0]) == subject


def entries(raw: bytes, host: str) -> Listed:
    """Return the entries of an index of referrers. Raises RegistryError: `too-large`, or `invalid` for anything
    else."""
    listed = manifests.read_object(raw, host).get("manifests") or []
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise RegistryError("invalid", f"{host} sent a malformed list of referrers", host=host)
    if len(listed) > MAX_LISTED:
        raise RegistryError("too-large", f"{host} lists more than {MAX_LISTED:,} referrers", host=host)
    found = Listed()
    for entry in listed:
        try:
            found.referrers.append(_referrer(entry, host))
        except RegistryError:
            found.odd += 1
    return found


def _referrer(entry: dict[str, Any], host: str) -> Referrer:
    about = descriptors.descriptor_of(entry, host)
    kind, notes = descriptors.artifact_type_of(entry), descriptors.annotations_of(entry)
    return Referrer(about.digest, about.media_type, about.size or 0, kind, notes)
