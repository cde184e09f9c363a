"""Images of unusual kinds, and a check that a registry has a whole image."""

from __future__ import annotations

import json

from mirrors.demo.images import OCI_CONFIG, OCI_MANIFEST, ImageBuilder, SampleImage
from tests.support.faulty_registry import FaultyRegistry


def is_complete(registry: FaultyRegistry, image: SampleImage, repository: str = "app") -> bool:
    storage = registry.storage
    blobs = all(storage.blob(repository, digest) == content for digest, content in image.blobs.items())
    manifests = all(storage.manifests.get((repository, d)) == m for d, m in image.manifests.items())
    return blobs and manifests


def odd_image() -> SampleImage:
    """Return an image with everything that tools get wrong: odd spacing, zstd and made-up layers, an attestation, an
    index in an index, a manifest without mediaType, an empty blob, a Docker manifest among OCI ones, and a config of an
    unknown type."""
    build = ImageBuilder()
    zstd = build.blob(b"\x28\xb5\x2f\xfd zstd", "application/vnd.oci.image.layer.v1.tar+zstd")
    plain = build.blob(b"plain tar", "application/vnd.oci.image.layer.v1.tar")
    empty = build.blob(b"", "application/vnd.made.up")
    odd_config = build.blob(b"not even json", "application/vnd.made.up.config+toml")
    untyped = b'{ "schemaVersion":2,\n\n"config":%s,  "layers":[ %s ] }' % (
        json.dumps(odd_config).encode(),
        json.dumps(zstd).encode(),
    )
    docker_type = "application/vnd.docker.distribution.manifest.v2+json"
    docker = build.manifest(
        {"schemaVersion": 2, "mediaType": docker_type, "config": odd_config, "layers": [plain, empty]}, docker_type
    )
    attestation = build.image([build.blob(b"{}", "application/vnd.in-toto+json")], build.blob(b"{}", OCI_CONFIG))
    nested = build.index([{**docker, "platform": {"os": "linux", "architecture": "s390x"}}])
    root = build.index(
        [
            {**build.raw_manifest(untyped, OCI_MANIFEST), "platform": {"os": "linux", "architecture": "amd64"}},
            nested,
            {**attestation, "platform": {"os": "unknown", "architecture": "unknown"}},
        ]
    )
    return build.build(root)


def one_blob(content: bytes) -> tuple[SampleImage, str]:
    build = ImageBuilder()
    layer = build.blob(content)
    return build.build(build.image([layer], build.blob(b"{}", OCI_CONFIG))), layer["digest"]
