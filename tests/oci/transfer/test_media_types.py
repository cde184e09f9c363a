"""Media types of descriptors with parameters, as SBOMs have them: the content is copied all the same."""

from __future__ import annotations

import json

import pytest

from mirrors.demo.images import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, ImageBuilder, SampleImage
from mirrors.oci import Engine, RegistryError
from tests.oci.conftest import MakeProfiled, copy
from tests.oci.samples import is_complete

SBOM = "application/vnd.cyclonedx+json"


def image_with(media_type: str, *, of: str) -> SampleImage:
    build = ImageBuilder()
    config = build.blob(b"{}", OCI_CONFIG)
    if of == "layer":
        return build.build(build.image([build.blob(b"layer", media_type)], config))
    manifest = build.image([build.blob(b"layer")], config)
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [{**manifest, "mediaType": media_type}]}
    return build.build(build.raw_manifest(json.dumps(index).encode(), OCI_INDEX))


@pytest.mark.parametrize(
    ("of", "media_type"),
    [
        ("layer", f"{SBOM};version=1.6"),
        ("layer", f'{SBOM} ; version="1.6"; charset=utf-8'),
        ("manifest", f"{OCI_MANIFEST}; charset=utf-8"),
    ],
)
def test_content_whose_media_type_has_parameters_is_copied(
    engine: Engine, profiled: MakeProfiled, of: str, media_type: str
) -> None:
    source, target = profiled(), profiled()
    image = image_with(media_type, of=of)
    image.load(source.storage, "app", "1.0")

    copy(engine, source, target)

    assert is_complete(target, image)
    assert not any(";" in requested.headers.get("Accept", "") for requested in (*source.requests, *target.requests))


@pytest.mark.parametrize(
    "media_type",
    [
        f"{SBOM};",
        f"{SBOM};version",
        f"{SBOM};version=1\r\nX-Injected: 1",
        f'{SBOM};version="1\r\nX-Injected: 1"',
        f"{SBOM}\r\n;version=1",
        f"{SBOM};version={'1' * 300}",
        ";version=1",
    ],
)
def test_malformed_media_type_parameters_are_rejected(engine: Engine, profiled: MakeProfiled, media_type: str) -> None:
    source, target = profiled(), profiled()
    image_with(media_type, of="layer").load(source.storage, "app", "1.0")

    with pytest.raises(RegistryError, match="malformed descriptor"):
        copy(engine, source, target)
