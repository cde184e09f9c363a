from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path

import pytest

from mirrors.demo.images import OCI_CONFIG, OCI_INDEX, OCI_MANIFEST, ImageBuilder, SampleImage, sample_image
from mirrors.images import ImageRef
from mirrors.oci import Engine, Progress, RegistryError
from tests.oci.conftest import MakeEngine, access, copy, ref, request
from tests.support.faulty_registry import FaultyRegistry, reply, without_digest
from tests.support.registries import Registry

ACCEPTED = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
}


def is_complete(registry: FaultyRegistry, image: SampleImage, repository: str = "app") -> bool:
    storage = registry.storage
    blobs = all(storage.blob(repository, digest) == content for digest, content in image.blobs.items())
    manifests = all(storage.manifests.get((repository, d)) == m for d, m in image.manifests.items())
    return blobs and manifests


def odd_image() -> SampleImage:
    """All that tools get wrong: odd spacing, zstd and made-up layers, an attestation, an index in an index, a manifest
    without mediaType, an empty blob, a Docker manifest among OCI ones, a config of an unknown type."""
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


def test_a_multi_platform_image_arrives_byte_for_byte_at_a_real_registry(
    engine: Engine, source: FaultyRegistry, distribution_registry: Registry
) -> None:
    image = sample_image(seed=3)
    image.load(source.storage, "app", "1.0")
    there = ref(distribution_registry, "multi/app:1.0")

    result = engine.copy(request(ref(source), there))

    found = engine.head(there, access(there.registry))
    assert found is not None
    assert found.digest == image.root == result.target_digest
    assert result.platforms == ("linux/amd64", "linux/arm64")
    assert result.bytes_copied == result.bytes_total == image.blob_bytes


def test_what_came_from_a_real_registry_is_the_same_as_what_went_there(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, distribution_registry: Registry
) -> None:
    image = sample_image(seed=4)
    image.load(source.storage, "app", "1.0")
    between = ref(distribution_registry, "between/app:1.0")

    engine.copy(request(ref(source), between))
    engine.copy(request(between, ref(target)))

    assert is_complete(target, image)


def test_odd_content_is_copied_verbatim(engine: Engine, source: FaultyRegistry, target: FaultyRegistry) -> None:
    image = odd_image()
    image.load(source.storage, "app", "1.0")

    result = copy(engine, source, target)

    assert is_complete(target, image)
    assert target.storage.tags["app", "1.0"] == image.root == result.source_digest


def test_odd_content_is_taken_by_a_real_registry(
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


def test_the_content_type_is_the_manifests_own(engine: Engine, source: FaultyRegistry, target: FaultyRegistry) -> None:
    image = odd_image()
    image.load(source.storage, "app", "1.0")
    media_type, raw = image.manifests[image.root]
    source.on("GET .*/manifests/1.0", reply(200, raw, Content_Type="application/octet-stream; charset=utf-8"))

    copy(engine, source, target)

    put = target.found("PUT .*/manifests/1.0")[0]
    assert put.headers["Content-Type"] == media_type
    assert target.storage.manifests["app", image.root] == (media_type, raw)


def test_a_manifest_without_media_type_keeps_the_headers_without_parameters(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    raw = json.dumps({"schemaVersion": 2, "manifests": []}).encode()
    source.storage.add_manifest("app", f"{OCI_INDEX}; charset=utf-8", raw, "1.0")

    result = copy(engine, source, target)

    assert target.storage.manifests["app", result.target_digest] == (OCI_INDEX, raw)


def test_all_manifest_types_are_accepted_on_head_and_get(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")

    copy(engine, source, target)

    looked = source.found("(HEAD|GET) .*/manifests/") + target.found("HEAD .*/manifests/")
    assert len(looked) >= 5
    assert all({part.strip() for part in asked.headers["Accept"].split(",")} >= ACCEPTED for asked in looked)


def test_bodies_are_asked_for_without_compression(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")

    copy(engine, source, target)

    assert {asked.headers["Accept-Encoding"] for asked in source.asked + target.asked} == {"identity"}


def test_a_body_that_claims_to_be_compressed_is_taken_as_it_is(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    media_type, raw = image.manifests[image.root]
    source.on("GET .*/manifests/1.0", reply(200, raw, Content_Type=media_type, Content_Encoding="gzip"))

    copy(engine, source, target)

    assert is_complete(target, image)


def test_copying_again_takes_exactly_two_requests(make_engine: MakeEngine, source: FaultyRegistry) -> None:
    with FaultyRegistry() as target:
        exchanges: list[tuple[str, str, int]] = []
        engine = make_engine(on_request=lambda method, host, status: exchanges.append((method, host, status)))
        sample_image().load(source.storage, "app", "1.0")
        copy(engine, source, target)
        exchanges.clear()

        result = copy(engine, source, target)

        assert result.unchanged
        assert sorted(exchanges) == sorted([("HEAD", source.host, 200), ("HEAD", target.host, 200)])


def test_only_what_changed_is_copied(engine: Engine, source: FaultyRegistry, target: FaultyRegistry) -> None:
    build = ImageBuilder()
    config = build.blob(b"{}", OCI_CONFIG)
    old = {**build.image([build.blob(b"old")], config), "platform": {"os": "linux", "architecture": "amd64"}}
    kept = {**build.image([build.blob(b"kept")], config), "platform": {"os": "linux", "architecture": "arm64"}}
    build.build(build.index([old, kept])).load(source.storage, "app", "1.0")
    copy(engine, source, target)
    new = {**build.image([build.blob(b"new")], config), "platform": {"os": "linux", "architecture": "amd64"}}
    image = build.build(build.index([new, kept]))
    image.load(source.storage, "app", "1.0")
    source.asked.clear()

    result = copy(engine, source, target)

    assert target.storage.tags["app", "1.0"] == image.root
    assert source.count(f"GET .*{kept['digest']}") == 0
    assert (result.bytes_copied, result.bytes_skipped) == (3, 2)


def test_children_are_pushed_before_their_index_and_the_tag_last(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = odd_image()
    image.load(source.storage, "app", "1.0")

    copy(engine, source, target)

    writes = [asked for asked in target.asked if asked.method == "PUT"]
    order = [asked.path.rpartition("/")[2] for asked in writes if "/manifests/" in asked.path]
    assert order[-1] == "1.0"
    nested = next(d for d, (_, raw) in image.manifests.items() if b"s390x" in raw)
    docker = next(d for d, (kind, _) in image.manifests.items() if "docker" in kind)
    assert order.index(docker) < order.index(nested)
    assert "/manifests/1.0" in writes[-1].path


def test_a_failed_blob_leaves_no_tag_behind(engine: Engine, source: FaultyRegistry, target: FaultyRegistry) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    lost = next(iter(image.blobs))
    source.storage.links.discard(("app", lost))

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert caught.value.code == "not-found"
    assert caught.value.permanent
    assert not target.storage.tags


def test_the_tag_that_moves_while_copying_does_not_mix_two_images(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    first, second = sample_image(seed=1), sample_image(seed=2)
    first.load(source.storage, "app", "1.0")

    def move(handler: object) -> bool:
        second.load(source.storage, "app", "1.0")
        return False

    source.on("GET .*/manifests/sha256:", move)

    result = copy(engine, source, target)

    assert result.source_digest == first.root
    assert target.storage.tags["app", "1.0"] == first.root
    assert source.count("GET .*/manifests/1.0") == 1
    assert is_complete(target, first)


def test_foreign_layers_stay_where_they_are(engine: Engine, source: FaultyRegistry, target: FaultyRegistry) -> None:
    build = ImageBuilder()
    own = build.blob(b"own")
    absent = {"digest": f"sha256:{hashlib.sha256(b'elsewhere').hexdigest()}", "size": 9}
    foreign = [
        {**absent, "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"},
        {**absent, "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "urls": ["http://127.0.0.1:1/x"]},
        {**absent, "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar"},
    ]
    image = build.build(build.image([own, *foreign], build.blob(b"{}", OCI_CONFIG)))
    image.load(source.storage, "app", "1.0")

    copy(engine, source, target)

    assert is_complete(target, image)
    assert source.count(f".*{absent['digest']}") == 0


def test_a_head_without_a_digest_is_settled_by_a_get(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    source.on("HEAD .*/manifests/", without_digest, times=9)

    found = engine.head(ref(source), access(source.host))

    assert found is not None
    assert found.digest == image.root


def test_a_digest_header_that_lies_is_not_believed_on_get(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    media_type, raw = image.manifests[image.root]
    lie = f"sha256:{'0' * 64}"
    source.on("GET .*/manifests/1.0", reply(200, raw, Content_Type=media_type, Docker_Content_Digest=lie))

    assert copy(engine, source, target).source_digest == image.root


def test_a_child_that_is_not_what_its_digest_says_is_refused(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")
    source.on("GET .*/manifests/sha256:", reply(200, b'{"schemaVersion":2}', Content_Type=OCI_MANIFEST))

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert caught.value.code == "bad-digest"
    assert not target.storage.tags


def test_an_image_beyond_the_size_limit_is_refused_before_anything_moves(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image(layer_bytes=1000).load(source.storage, "app", "1.0")

    with pytest.raises(RegistryError) as caught:
        copy(make_engine(max_image_bytes=2000), source, target)

    assert caught.value.code == "too-large"
    assert not target.found("(POST|PUT)")


def test_progress_comes_on_the_callers_thread_and_ends_with_everything(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    seen: list[tuple[int, Progress]] = []

    engine.copy(request(ref(source), ref(target)), progress=lambda p: seen.append((threading.get_ident(), p)))

    assert {thread for thread, _ in seen} == {threading.get_ident()}
    assert seen[-1][1] == Progress(image.blob_bytes, image.blob_bytes, 0, 0, len(image.blobs), len(image.blobs))


def test_nothing_is_written_to_the_working_directory_or_needed_from_it(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login robber password loot\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://robber:loot@127.0.0.1:1")
    sample_image().load(source.storage, "app", "1.0")

    copy(engine, source, target)

    assert not any("Authorization" in asked.headers for asked in source.asked + target.asked)


def test_an_access_for_another_registry_is_a_mistake_of_the_caller() -> None:
    one, other = ImageRef.parse("a.example/app:1"), ImageRef.parse("b.example/app:1")
    with pytest.raises(ValueError, match="RegistryAccess"):
        request(one, other, source_access=access("b.example"))
