"""Tags at the target: when a tag is set, moved or kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mirrors.demo.images import OCI_CONFIG, ImageBuilder, SampleImage, sample_image
from mirrors.images import pinned_tag
from mirrors.oci import Engine, RegistryError
from tests.oci.conftest import copy, ref, request
from tests.support.faulty_registry import FaultyRegistry, reply

THREE = ("linux/amd64", "linux/arm64", "linux/arm/v7")


def pinned(engine: Engine, source: FaultyRegistry, target: FaultyRegistry, reference: str) -> str | None:
    return engine.copy(request(ref(source, reference), ref(target, reference))).target_tag


def with_attestations() -> tuple[SampleImage, dict[str, str]]:
    """Return an image of two platforms with an attestation for each, and the digests by a short name."""
    build = ImageBuilder()
    config = build.blob(b"{}", OCI_CONFIG)
    children: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for name in ("amd64", "arm64"):
        child = build.image([build.blob(name.encode())], config)
        about = build.image([build.blob(b"about " + name.encode(), "application/vnd.in-toto+json")], config)
        children.append({**child, "platform": {"os": "linux", "architecture": name}})
        children.append(
            {
                **about,
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {"vnd.docker.reference.digest": child["digest"]},
            }
        )
        names |= {name: child["digest"], f"about {name}": about["digest"]}
    return build.build(build.index(children)), names


def test_a_pinned_copy_creates_a_missing_tag(engine: Engine, source: FaultyRegistry, target: FaultyRegistry) -> None:
    image = sample_image()
    image.load(source.storage, "app", "other")

    assert pinned(engine, source, target, f"app:1.0@{image.root}") == "1.0"
    assert target.storage.tags == {("app", "1.0"): image.root}


def test_a_pinned_copy_does_not_move_an_existing_tag(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    old, new = sample_image(seed=1), sample_image(seed=2)
    new.load(target.storage, "app", "1.0")
    old.load(source.storage, "app", "old")

    tag = pinned(engine, source, target, f"app:1.0@{old.root}")

    assert tag == pinned_tag("1.0", old.root)
    assert target.storage.tags == {("app", "1.0"): new.root, ("app", tag): old.root}


def test_an_image_pinned_only_by_digest_gets_a_generated_tag(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")

    assert pinned(engine, source, target, f"app@{image.root}") == pinned_tag(None, image.root)
    assert target.storage.tags == {("app", pinned_tag(None, image.root)): image.root}


@pytest.mark.parametrize("reference", ["app@{}", "app:1.0@{}"])
def test_an_unchanged_pinned_copy_takes_at_most_two_requests(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, reference: str
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    reference = reference.format(image.root)
    pinned(engine, source, target, reference)
    source.requests.clear()
    target.requests.clear()

    assert engine.copy(request(ref(source, reference), ref(target, reference))).unchanged
    assert len(source.requests) + len(target.requests) <= 2


def test_a_tag_moved_at_the_source_is_moved_at_the_target(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image(seed=1).load(source.storage, "app", "1.0")
    copy(engine, source, target)
    new = sample_image(seed=2)
    new.load(source.storage, "app", "1.0")

    assert not copy(engine, source, target).unchanged
    assert target.storage.tags["app", "1.0"] == new.root


def test_a_second_tag_of_a_copied_image_transfers_no_bytes(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    image.load(source.storage, "app", "latest")
    copy(engine, source, target)

    result = engine.copy(request(ref(source, "app:latest"), ref(target, "app:latest")))

    assert result.bytes_total == 0
    assert target.storage.tags["app", "latest"] == image.root


def test_an_image_is_pushed_to_a_target_that_denies_heads(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    target.on("HEAD .*", reply(403), times=99)

    copy(engine, source, target)

    assert target.storage.tags["app", "1.0"] == image.root


def test_an_image_is_copied_from_a_source_that_denies_heads(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    source.on("HEAD .*", reply(403), times=99)

    assert copy(engine, source, target).target_digest == image.root


def test_a_target_that_responds_with_500_is_not_treated_as_empty(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")
    target.on("HEAD .*/manifests/", reply(500), times=99)

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert caught.value.code == "unavailable"
    assert not target.found("(PUT|POST) ")


def test_a_missing_source_image_is_reported_with_its_name(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    with pytest.raises(RegistryError, match=f"{source.host}/app:1.0 does not exist at the source") as caught:
        copy(engine, source, target)

    assert caught.value.code == "not-found"


@pytest.mark.parametrize("kind", ["v1+json", "v1+prettyjws"])
def test_schema_1_manifests_are_rejected_as_unsupported(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, kind: str
) -> None:
    raw = json.dumps({"schemaVersion": 1, "fsLayers": []}).encode()
    source.storage.add_manifest("app", f"application/vnd.docker.distribution.manifest.{kind}", raw, "1.0")

    with pytest.raises(RegistryError, match="schema 1") as caught:
        copy(engine, source, target)

    assert (caught.value.code, caught.value.permanent) == ("unsupported", True)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html>",
        b"[]",
        b"[" * 100_000,
        b'{"schemaVersion":2,"manifests":[],"layers":[]}',
        b'{"schemaVersion":2,"layers":7}',
        b'{"schemaVersion":2,"layers":["x"]}',
        b'{"schemaVersion":2,"layers":[{"digest":"sha256:../../x","size":1}]}',
        b'{"schemaVersion":2,"layers":[{"digest":"sha256:%s","size":-1}]}' % (b"0" * 64),
        b'{"schemaVersion":2,"manifests":[{"digest":"md5:00","size":1}]}',
    ],
)
def test_an_invalid_manifest_is_rejected_before_any_push(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, raw: bytes
) -> None:
    source.storage.add_manifest("app", "application/vnd.oci.image.index.v1+json", raw, "1.0")

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert (caught.value.code, caught.value.permanent) == ("invalid", True)
    assert not target.found("(PUT|POST) ")


def test_all_platforms_and_attestations_are_kept_by_default(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image, _ = with_attestations()
    image.load(source.storage, "app", "1.0")

    result = copy(engine, source, target)

    assert result.source_digest == result.target_digest == image.root
    assert {digest for _, digest in target.storage.manifests} == set(image.manifests)


def test_selected_platforms_are_pushed_as_a_new_index_and_recorded(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image, names = with_attestations()
    image.load(source.storage, "app", "1.0")

    result = copy(engine, source, target, platforms=("linux/amd64",))

    assert result.source_digest == image.root
    assert result.target_digest != image.root
    assert result.platforms == ("linux/amd64",)
    kept = {digest for _, digest in target.storage.manifests}
    assert kept == {result.target_digest, names["amd64"], names["about amd64"]}
    assert copy(engine, source, target, platforms=("linux/amd64",)).unchanged


def test_selecting_all_platforms_keeps_the_digest(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image(platforms=THREE)
    image.load(source.storage, "app", "1.0")

    result = copy(engine, source, target, platforms=("linux/amd64", "linux/arm", "linux/arm64/v8"))

    assert result.target_digest == image.root


def test_a_pinned_reference_keeps_all_platforms(engine: Engine, source: FaultyRegistry, target: FaultyRegistry) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    reference = f"app:1.0@{image.root}"

    result = engine.copy(request(ref(source, reference), ref(target, reference), platforms=("linux/amd64",)))

    assert result.target_digest == image.root
    assert result.platforms == ("linux/amd64", "linux/arm64")


def test_a_missing_platform_is_reported_with_the_available_ones(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")

    with pytest.raises(RegistryError, match="windows/amd64.*linux/amd64, linux/arm64") as caught:
        copy(engine, source, target, platforms=("windows/amd64",))

    assert caught.value.permanent
