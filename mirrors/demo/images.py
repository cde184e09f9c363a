"""A builder of sample images: an index of several platforms, with layers of random bytes that depend on the seed."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Any

from mirrors.demo.memory_storage import Storage, digest_of

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
DEFAULT_PLATFORMS = ("linux/amd64", "linux/arm64")


@dataclass(frozen=True, slots=True)
class SampleImage:
    """An image: its blobs and manifests by digest. `root` is the digest of the index."""

    root: str
    blobs: dict[str, bytes]
    manifests: dict[str, tuple[str, bytes]]
    algorithm: str = "sha256"
    """The algorithm of all digests in the image."""

    def load(self, storage: Storage, repository: str, tag: str) -> None:
        """Store the image in a registry directly, without HTTP."""
        for content in self.blobs.values():
            storage.add_blob(repository, content, self.algorithm)
        for digest, (media_type, raw) in self.manifests.items():
            storage.add_manifest(repository, media_type, raw, tag if digest == self.root else None, self.algorithm)

    @property
    def blob_bytes(self) -> int:
        return sum(len(content) for content in self.blobs.values())


class ImageBuilder:
    """A collector of content, whose methods return descriptors."""

    def __init__(self, algorithm: str = "sha256") -> None:
        self.algorithm = algorithm
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}

    def blob(self, content: bytes, media_type: str = OCI_LAYER) -> dict[str, Any]:
        digest = digest_of(content, self.algorithm)
        self.blobs[digest] = content
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def manifest(self, document: dict[str, Any], media_type: str = OCI_MANIFEST) -> dict[str, Any]:
        return self.raw_manifest(json.dumps(document, indent=3).encode(), media_type)

    def raw_manifest(self, raw: bytes, media_type: str) -> dict[str, Any]:
        digest = digest_of(raw, self.algorithm)
        self.manifests[digest] = (media_type, raw)
        return {"mediaType": media_type, "digest": digest, "size": len(raw)}

    def image(self, layers: list[dict[str, Any]], config: dict[str, Any]) -> dict[str, Any]:
        document = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": layers}
        return self.manifest(document)

    def index(self, children: list[dict[str, Any]]) -> dict[str, Any]:
        return self.manifest({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": children}, OCI_INDEX)

    def build(self, root: dict[str, Any]) -> SampleImage:
        return SampleImage(root["digest"], dict(self.blobs), dict(self.manifests), self.algorithm)


def sample_image(
    *,
    seed: int = 1,
    platforms: tuple[str, ...] = DEFAULT_PLATFORMS,
    layers: int = 3,
    layer_bytes: int = 64 * 1024,
) -> SampleImage:
    """Return an image with `layers` layers of `layer_bytes` bytes for each platform. All share the first layer."""
    noise = random.Random(seed)
    builder = ImageBuilder()
    shared = builder.blob(noise.randbytes(layer_bytes))
    children = []
    for platform in platforms:
        os_name, architecture, *variant = platform.split("/")
        own_layers = [builder.blob(noise.randbytes(layer_bytes)) for _ in range(layers - 1)]
        platform_fields: dict[str, Any] = {"os": os_name, "architecture": architecture}
        if variant:
            platform_fields["variant"] = variant[0]
        config = builder.blob(json.dumps({**platform_fields, "seed": seed}).encode(), OCI_CONFIG)
        children.append({**builder.image([shared, *own_layers], config), "platform": platform_fields})
    return builder.build(builder.index(children))
