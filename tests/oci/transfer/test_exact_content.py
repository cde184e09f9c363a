"""The target receives exactly the bytes that were read."""

from __future__ import annotations

import hashlib
import json

import pytest

from mirrors.demo.images import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, ImageBuilder, sample_image
from mirrors.oci import Engine, RegistryError
from tests.oci.conftest import access, copy, ref, request
from tests.oci.samples import is_complete, odd_image
from tests.support.faulty_registry import FaultyRegistry, chunked, reply
from tests.support.registries import Registry


def test_unusual_content_is_copied_unchanged(engine: Engine, source: FaultyRegistry, target: FaultyRegistry) -> None:
    image = odd_image()
    image.load(source.storage, "app", "1.0")

    result = copy(engine, source, target)

    assert is_complete(target, image)
    assert target.storage.tags["app", "1.0"] == image.root == result.source_digest


def test_a_nested_index_is_accepted_by_a_real_registry(
    engine: Engine, source: FaultyRegistry, distribution_registry: Registry
) -> None:
    image = sample_image(seed=8)
    build = ImageBuilder()
    build.blobs.update(image.blobs)
    build.manifests.update(image.manifests)
    media_type, raw = image.manifests[image.root]
    nested = {"mediaType": media_type, "digest": image.root, "size": len(raw)}
    whole = build.build(build.index([nested]))
    whole.load(source.storage, "app", "1.0")
    there = ref(distribution_registry, "odd/app:1.0")

    engine.copy(request(ref(source), there))

    found = engine.head(there, access(there.registry))
    assert found is not None
    assert found.digest == whole.root


def test_a_digest_can_belong_to_a_manifest_and_a_layer(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, distribution_registry: Registry
) -> None:
    """A layer that has the digest of another image of the index, and is also an entry of the index itself."""
    build = ImageBuilder()
    config = build.blob(b"{}", OCI_CONFIG)
    first = build.image([build.blob(b"layer")], config)
    as_layer = build.blob(build.manifests[first["digest"]][1], OCI_LAYER)
    image = build.build(build.index([first, build.image([as_layer], config), as_layer]))
    image.load(source.storage, "app", "1.0")

    copy(engine, source, target)
    engine.copy(request(ref(source), ref(distribution_registry, "both/app:1.0")))

    assert is_complete(target, image)
    assert target.found("PUT ")[-1].path == "/v2/app/manifests/1.0"


def test_the_media_type_in_the_manifest_overrides_the_content_type(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = odd_image()
    image.load(source.storage, "app", "1.0")
    media_type, raw = image.manifests[image.root]
    source.on("GET .*/manifests/1.0", reply(200, raw, Content_Type="application/octet-stream; charset=utf-8"))

    copy(engine, source, target)

    put = target.found("PUT .*/manifests/1.0")[0]
    assert put.headers["Content-Type"] == media_type
    assert target.storage.manifests["app", image.root] == (media_type, raw)


def test_a_manifest_without_media_type_uses_the_header_without_parameters(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    raw = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
    source.storage.add_manifest("app", f"{OCI_INDEX}; charset=utf-8", raw, "1.0")

    result = copy(engine, source, target)

    assert target.storage.manifests["app", result.target_digest] == (OCI_INDEX, raw)


def test_a_false_content_encoding_header_is_ignored(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    media_type, raw = image.manifests[image.root]
    source.on("GET .*/manifests/1.0", reply(200, raw, Content_Type=media_type, Content_Encoding="gzip"))

    copy(engine, source, target)

    assert is_complete(target, image)


def test_nondistributable_layers_are_not_copied(engine: Engine, source: FaultyRegistry, target: FaultyRegistry) -> None:
    build = ImageBuilder()
    absent = {"digest": f"sha256:{hashlib.sha256(b'elsewhere').hexdigest()}", "size": 9, "urls": ["https://cdn.test/x"]}
    foreign = [
        {**absent, "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"},
        {**absent, "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"},
    ]
    image = build.build(build.image([build.blob(b"own"), *foreign], build.blob(b"{}", OCI_CONFIG)))
    image.load(source.storage, "app", "1.0")

    result = copy(engine, source, target)

    assert is_complete(target, image)
    assert source.count(f".*{absent['digest']}") == 0
    assert result.foreign == (absent["digest"],)


@pytest.mark.parametrize(
    ("media_type", "urls"),
    [
        (OCI_LAYER, ["https://cdn.test/x"]),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", ["https://cdn.test/x"]),
        ("application/vnd.acme.foreign.layer.v1", ["https://cdn.test/x"]),
        # Nodes could not read these from anywhere else.
        ("application/vnd.oci.image.layer.nondistributable.v1.tar", []),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", ["ftp://cdn.test/x"]),
    ],
)
def test_layers_that_nodes_pull_from_the_mirror_are_copied_despite_urls(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, media_type: str, urls: list[str]
) -> None:
    build = ImageBuilder()
    layer = {**build.blob(b"a layer", media_type), "urls": urls}
    image = build.build(build.image([layer], build.blob(b"{}", OCI_CONFIG)))
    image.load(source.storage, "app", "1.0")

    result = copy(engine, source, target)

    assert target.storage.blob("app", layer["digest"]) == b"a layer"
    assert result.foreign == ()


def test_a_wrong_digest_header_is_ignored_on_get(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    media_type, raw = image.manifests[image.root]
    lie = f"sha256:{'0' * 64}"
    source.on("GET .*/manifests/1.0", reply(200, raw, Content_Type=media_type, Docker_Content_Digest=lie))

    assert copy(engine, source, target).source_digest == image.root


def test_a_child_manifest_with_another_digest_is_rejected(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")
    source.on("GET .*/manifests/sha256:", reply(200, b'{"schemaVersion":2}', Content_Type=OCI_MANIFEST))

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert caught.value.code == "bad-digest"
    assert not target.storage.tags


def test_chunked_blob_responses_are_copied(engine: Engine, source: FaultyRegistry, target: FaultyRegistry) -> None:
    image = odd_image()
    image.load(source.storage, "app", "1.0")
    source.on("GET .*/blobs/", chunked, times=99)

    copy(engine, source, target)

    assert is_complete(target, image)
