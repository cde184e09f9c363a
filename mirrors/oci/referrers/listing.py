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
class ReferrerList:
    """A list of referrers. `unsupported` is the number of entries that cannot be copied: the algorithm of their digest
    is unknown, or they have no size, or an invalid media type."""

    referrers: list[Referrer] = field(default_factory=list)
    unsupported: int = 0

    def __len__(self) -> int:
        return len(self.referrers) + self.unsupported

    def add(self, other: ReferrerList) -> None:
        self.referrers += other.referrers
        self.unsupported += other.unsupported


def referrers_of(client: RegistryClient, repository: str, digest: str) -> ReferrerList:
    """Return all listed referrers. Raises RegistryError: a registry that fails is not one without referrers."""
    listed = list_by_api(client, repository, digest)
    return list_by_tag(client, repository, digest) if listed is None else listed


def list_by_api(client: RegistryClient, repository: str, digest: str) -> ReferrerList | None:
    """Return the referrers of all pages; None if the registry has no referrers API."""
    page = client.get_referrers(repository, digest)
    if page is None:
        return None
    host = client.access.host
    listed = parse_index(page.body, host)
    seen: set[Url] = set()
    while page is not None and page.next_url is not None:
        if page.next_url in seen or len(seen) >= MAX_PAGES or len(listed) > MAX_LISTED:
            raise RegistryError("invalid", f"the list of referrers of {digest} at {host} does not end", host=host)
        seen.add(page.next_url)
        page = client.get_referrers(repository, digest, page)
        if page is not None:
            listed.add(parse_index(page.body, host))
    return listed


def list_by_tag(client: RegistryClient, repository: str, digest: str) -> ReferrerList:
    """Return the referrers under the fallback tag; none if the tag does not exist."""
    raw = read_fallback_index(client, repository, digest)
    return ReferrerList() if raw is None or is_subject(raw, digest) else parse_index(raw, client.access.host)


def read_fallback_index(client: RegistryClient, repository: str, digest: str) -> bytes | None:
    """Return the bytes under the fallback tag; None if the tag does not exist."""
    try:
        return client.get_bytes(repository, fallback_tag(digest))
    except RegistryError as error:
        if error.code == "not-found":
            return None
        raise


def is_subject(raw: bytes, subject: str) -> bool:
    """Return whether a registry responded with the subject itself: GitLab reads a tag `sha256-<hex>` as the digest."""
    return descriptors.digest_of(raw, subject.partition(":")[0]) == subject


def parse_index(raw: bytes, host: str) -> ReferrerList:
    """Return the entries of an index of referrers. Raises RegistryError: `too-large`, or `invalid` for anything
    else."""
    documents = manifests.read_object(raw, host).get("manifests") or []
    if not isinstance(documents, list) or not all(isinstance(entry, dict) for entry in documents):
        raise RegistryError("invalid", f"{host} sent a malformed list of referrers", host=host)
    if len(documents) > MAX_LISTED:
        raise RegistryError("too-large", f"{host} lists more than {MAX_LISTED:,} referrers", host=host)
    result = ReferrerList()
    for entry in documents:
        try:
            result.referrers.append(_referrer(entry, host))
        except RegistryError:
            result.unsupported += 1
    return result


def _referrer(entry: dict[str, Any], host: str) -> Referrer:
    descriptor = descriptors.descriptor_of(entry, host)
    kind, annotations = descriptors.artifact_type_of(entry), descriptors.annotations_of(entry)
    return Referrer(descriptor.digest, descriptor.media_type, descriptor.size or 0, kind, annotations)
