"""What refers to a manifest, as its registry lists it: by the referrers API, or by the fallback tag."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from mirrors.oci.common import descriptors, manifests
from mirrors.oci.common.errors import RegistryError
from mirrors.oci.common.request_urls import Url
from mirrors.oci.distribution.registry_client import RegistryClient
from mirrors.oci.referrers.kinds import Referrer, fallback_tag

MAX_PAGES: Final = 50
"""Of one list; registries put 50 to 1,000 entries on a page."""

MAX_LISTED: Final = 5_000
"""Referrers of one manifest that are looked at; busy ones have a few hundred."""


@dataclass(slots=True)
class Listed:
    """A list of referrers. `odd` of its entries cannot be copied: their digest is of an algorithm that we do not know,
    or they have no size, or an invalid media type."""

    referrers: list[Referrer] = field(default_factory=list)
    odd: int = 0

    def __len__(self) -> int:
        return len(self.referrers) + self.odd

    def add(self, other: Listed) -> None:
        self.referrers += other.referrers
        self.odd += other.odd


def referrers_of(client: RegistryClient, repository: str, digest: str) -> Listed:
    """Everything that is listed. Raises RegistryError: a registry in trouble is not one without referrers."""
    listed = by_api(client, repository, digest)
    return by_tag(client, repository, digest) if listed is None else listed


def by_api(client: RegistryClient, repository: str, digest: str) -> Listed | None:
    """All pages; None where the registry has no referrers API."""
    page = client.get_referrers(repository, digest)
    if page is None:
        return None
    host = client.access.host
    listed = entries(page.body, host)
    seen: set[Url] = set()
    while page is not None and page.following is not None:
        if page.following in seen or len(seen) >= MAX_PAGES or len(listed) > MAX_LISTED:
            raise RegistryError("invalid", f"the list of referrers of {digest} at {host} has no end", host=host)
        seen.add(page.following)
        page = client.get_referrers(repository, digest, page)
        if page is not None:
            listed.add(entries(page.body, host))
    return listed


def by_tag(client: RegistryClient, repository: str, digest: str) -> Listed:
    """What the fallback tag has; nothing where there is none."""
    found = at_fallback_tag(client, repository, digest)
    return Listed() if found is None or is_itself(found, digest) else entries(found, client.access.host)


def at_fallback_tag(client: RegistryClient, repository: str, digest: str) -> bytes | None:
    """None where there is no such tag."""
    try:
        return client.get_bytes(repository, fallback_tag(digest))
    except RegistryError as error:
        if error.code == "not-found":
            return None
        raise


def is_itself(found: bytes, subject: str) -> bool:
    """Whether a registry has answered with the subject: GitLab reads a tag `sha256-<hex>` as the digest."""
    return descriptors.digest_of(found, subject.partition(":")[0]) == subject


def entries(raw: bytes, host: str) -> Listed:
    """The manifests of an index of referrers. Raises RegistryError `invalid` for anything else."""
    listed = manifests.read_object(raw, host).get("manifests") or []
    if not isinstance(listed, list) or not all(isinstance(entry, dict) for entry in listed):
        raise RegistryError("invalid", f"{host} sent a list of referrers that is malformed", host=host)
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
