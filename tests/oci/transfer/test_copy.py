"""One image from source to target: the requests that are sent and the result that is reported."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from mirrors.demo.images import OCI_CONFIG, ImageBuilder, sample_image
from mirrors.images import ImageRef
from mirrors.oci import Engine, Progress, RegistryError
from tests.oci.conftest import MakeEngine, access, copy, ref, request
from tests.oci.samples import is_complete, odd_image
from tests.support.faulty_registry import FaultyRegistry, without_digest
from tests.support.ports import wait_until
from tests.support.registries import Registry

ACCEPTED = {
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
}


def test_a_multi_platform_image_is_copied_unchanged_to_a_real_registry(
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


def test_an_image_is_unchanged_after_a_copy_through_a_real_registry(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, distribution_registry: Registry
) -> None:
    image = sample_image(seed=4)
    image.load(source.storage, "app", "1.0")
    between = ref(distribution_registry, "between/app:1.0")

    engine.copy(request(ref(source), between))
    engine.copy(request(between, ref(target)))

    assert is_complete(target, image)


def test_blobs_are_checked_while_other_manifests_are_read(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")

    def after_a_look(_: object) -> bool:
        wait_until(lambda: target.count("HEAD .*/blobs/") >= 1, timeout=20, what="a look for a blob")
        return False

    # Manifests of the first platform may be read. The last one is served only after a blob was looked up at the target.
    last = json.loads(image.manifests[image.root][1])["manifests"][-1]
    source.on(f"GET .*/manifests/{last['digest']}", after_a_look, times=9)

    copy(engine, source, target)

    assert is_complete(target, image)
    assert target.count("HEAD .*/blobs/") == len(image.blobs), "each once"


def test_a_blob_that_reaches_the_target_while_queued_is_not_transferred(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    build = ImageBuilder()
    large, small = build.blob(b"large" * 1000), build.blob(b"config", OCI_CONFIG)
    build.build(build.image([large], small)).load(source.storage, "app", "1.0")

    def bring_the_other(_: object) -> bool:
        target.storage.add_blob("app", b"config", "sha256")
        return False

    source.on(f"GET .*/blobs/{large['digest']}", bring_the_other)

    copy(make_engine(blobs=1, check_age=0.0, small_blob_bytes=0), source, target)

    assert [requested for requested in source.requests if small["digest"] in str(requested)] == []
    assert target.count("PUT .*/blobs/") == 1


def test_all_manifest_types_are_accepted_on_head_and_get(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")

    copy(engine, source, target)

    looked = source.found("(HEAD|GET) .*/manifests/") + target.found("HEAD .*/manifests/")
    assert len(looked) >= 5
    assert all({part.strip() for part in requested.headers["Accept"].split(",")} >= ACCEPTED for requested in looked)


def test_bodies_are_requested_without_compression(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")

    copy(engine, source, target)

    assert {requested.headers["Accept-Encoding"] for requested in source.requests + target.requests} == {"identity"}


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


def test_only_changed_content_is_copied(engine: Engine, source: FaultyRegistry, target: FaultyRegistry) -> None:
    build = ImageBuilder()
    config = build.blob(b"{}", OCI_CONFIG)
    old = {**build.image([build.blob(b"old")], config), "platform": {"os": "linux", "architecture": "amd64"}}
    kept = {**build.image([build.blob(b"kept")], config), "platform": {"os": "linux", "architecture": "arm64"}}
    build.build(build.index([old, kept])).load(source.storage, "app", "1.0")
    copy(engine, source, target)
    new = {**build.image([build.blob(b"new")], config), "platform": {"os": "linux", "architecture": "amd64"}}
    image = build.build(build.index([new, kept]))
    image.load(source.storage, "app", "1.0")
    source.requests.clear()

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

    writes = [requested for requested in target.requests if requested.method == "PUT"]
    order = [requested.path.rpartition("/")[2] for requested in writes if "/manifests/" in requested.path]
    assert order[-1] == "1.0"
    nested = next(d for d, (_, raw) in image.manifests.items() if b"s390x" in raw)
    docker = next(d for d, (kind, _) in image.manifests.items() if "docker" in kind)
    assert order.index(docker) < order.index(nested)
    assert "/manifests/1.0" in writes[-1].path


def test_no_tag_is_written_if_a_blob_is_missing_at_the_source(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    lost = next(iter(image.blobs))
    source.storage.links.discard(("app", lost))

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert caught.value.code == "not-found"
    assert caught.value.permanent
    assert not target.storage.tags


def test_a_tag_that_moves_during_a_copy_does_not_mix_two_images(
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


def test_the_digest_is_determined_if_the_head_response_has_none(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    source.on("HEAD .*/manifests/", without_digest, times=9)

    found = engine.head(ref(source), access(source.host))

    assert found is not None
    assert found.digest == image.root


def test_an_image_beyond_the_size_limit_is_rejected_before_any_push(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image(layer_bytes=1000).load(source.storage, "app", "1.0")

    with pytest.raises(RegistryError) as caught:
        copy(make_engine(max_image_bytes=2000), source, target)

    assert caught.value.code == "too-large"
    assert not target.found("(POST|PUT)")


def test_progress_is_reported_on_the_callers_thread_until_complete(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    seen: list[tuple[int, Progress]] = []

    engine.copy(request(ref(source), ref(target)), progress=lambda p: seen.append((threading.get_ident(), p)))

    assert {thread for thread, _ in seen} == {threading.get_ident()}
    assert seen[-1][1] == Progress(image.blob_bytes, image.blob_bytes, 0, 0, len(image.blobs), len(image.blobs))


def test_netrc_and_proxy_environment_variables_are_ignored(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login robber password loot\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://robber:loot@127.0.0.1:1")
    sample_image().load(source.storage, "app", "1.0")

    copy(engine, source, target)

    assert not any("Authorization" in requested.headers for requested in source.requests + target.requests)


def test_access_for_another_registry_raises_a_value_error() -> None:
    one, other = ImageRef.parse("a.example/app:1"), ImageRef.parse("b.example/app:1")
    with pytest.raises(ValueError, match="RegistryAccess"):
        request(one, other, source_access=access("b.example"))
