"""The manifests of an image that referrers may name: the image itself, and its platforms."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from mirrors.oci.common.descriptors import descriptor_of
from mirrors.oci.common.manifests import DOCKER_LIST, OCI_INDEX, Manifest, platform_name, read_object
from mirrors.oci.distribution.registry_client import RegistryClient

MAX_SUBJECTS: Final = 64
"""The maximum number of subjects of one image; images with the most platforms have about twenty."""

MAX_NESTED: Final = 8
"""The maximum number of nested indexes that are read."""


def subjects_of(client: RegistryClient, repository: str, root: Manifest) -> list[str]:
    """Return the digests of `root` and of its platforms, each once. Attestations in an index are not subjects, because
    they are about the other manifests. Raises RegistryError."""
    subjects = {root.digest: None}
    level, nested = [root], 0
    while level:
        children = [child for index in level for child in _children(index, client.access.host)]
        level = []
        for digest, media_type in children:
            is_new = digest not in subjects and len(subjects) < MAX_SUBJECTS
            if is_new and media_type in (OCI_INDEX, DOCKER_LIST) and nested < MAX_NESTED:
                nested += 1
                level.append(client.get_manifest(repository, digest, media_type))
            if is_new:
                subjects[digest] = None
    return list(subjects)


def _children(index: Manifest, host: str) -> Iterator[tuple[str, str]]:
    """Yield the digests and media types of the manifests of an index that can be run."""
    if not index.children:
        return
    entries: list[dict[str, Any]] = read_object(index.raw, host)["manifests"]
    for entry in entries:
        descriptor = descriptor_of(entry, host)
        if platform_name(entry) != "unknown/unknown":
            yield descriptor.digest, descriptor.media_type
