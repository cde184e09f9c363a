"""Targets that were observed to mount blobs: later copies check for a small blob and open its upload with one request.
The engine assumes only traits that it has observed."""

from __future__ import annotations

import pytest

from mirrors.demo.handler import Handler
from mirrors.demo.images import OCI_CONFIG, ImageBuilder, SampleImage
from mirrors.oci import Audience, Engine, EngineSettings, MemoryMounts, RegistryError
from tests.oci.blobs.in_turn import EVER, OWN_MOUNT, copy, get_known, second, small_image
from tests.oci.conftest import FAST, MakeEngine, ref, request
from tests.oci.samples import is_complete
from tests.support.faulty_registry import FaultyRegistry, reply

__all__ = ["second"]

EVERYBODY = Audience(is_public=True)


def opens_a_session(handler: Handler) -> bool:
    """Open an upload session instead of mounting, as registries without mounts do."""
    handler._upload_accepted(handler.registry.storage.start_upload())
    return True


def mounts_everything(handler: Handler) -> bool:
    """Mount a blob whichever repository has it."""
    digest = handler.query["mount"][0]
    handler.registry.storage.links.add((handler.repository, digest))
    handler.respond(201, Location=f"/v2/{handler.repository}/blobs/{digest}", Docker_Content_Digest=digest)
    return True


def test_a_small_blob_is_checked_and_its_upload_opened_with_one_request(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    get_known(engine, source, target)

    result = copy(engine, source, target, "second")

    assert is_complete(target, second, "second")
    assert result.bytes_copied == second.blob_bytes
    assert target.count("HEAD .*/blobs/") == 0
    assert target.count("POST .*/uploads/$") == 0
    assert not target.storage.uploads, "no session is left open"


def test_an_existing_small_blob_is_not_uploaded_again(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    for content in second.blobs.values():
        target.storage.add_blob("second", content)
    get_known(engine, source, target)

    result = copy(engine, source, target, "second")

    assert result.bytes_skipped == result.bytes_total == second.blob_bytes
    assert target.count(OWN_MOUNT) == len(second.blobs)
    assert target.count("PUT .*/blobs/") == 0
    assert not target.storage.uploads


def test_a_blob_known_to_be_in_the_repository_is_checked_with_a_head(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    """A mount would write the blob's link again, and distribution cannot read the blob while it does. A client might be
    pulling the blob."""
    small_image("first").load(source.storage, "first", "1.1")
    get_known(engine, source, target)
    target.storage.manifests.clear()

    engine.copy(request(ref(source, "first:1.1"), ref(target, "first:1.1")))

    assert target.count("POST .*mount=") == 0
    assert target.count("HEAD .*/first/blobs/") == 3


def test_mount_probes_are_sent_before_any_manifest_is_pushed(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    copy(engine, source, target, "first")
    target.requests.clear()

    copy(engine, source, target, "other")

    places: dict[str, list[int]] = {"mount=": [], "/manifests/": []}
    for place, each in enumerate(target.requests):
        for kind, found in places.items():
            if each.method in ("POST", "PUT") and kind in each.path:
                found.append(place)
    assert target.count("POST .*/other/.*mount=") == len(places["mount="]) == 2
    assert max(places["mount="]) < min(places["/manifests/"]), "nobody reads the blob before that"


def test_the_probe_for_foreign_blobs_skips_blobs_that_the_repository_has(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    """The mount would succeed, as it should, but the engine would conclude that the target mounts blobs of other
    repositories."""
    builder = ImageBuilder()
    shared = [builder.blob(f"shared {number}".encode()) for number in range(3)]
    for name in ("first", "other"):
        own = builder.blob(f"own of {name}".encode())
        builder.build(builder.image([*shared, own], builder.blob(name.encode(), OCI_CONFIG))).load(
            source.storage, name, "2.0"
        )
    for name in ("first", "other"):
        engine.copy(request(ref(source, f"{name}:2.0"), ref(target, f"{name}:2.0")))
    target.requests.clear()

    copy(engine, source, target, "third")
    copy(engine, source, target, "second")

    assert target.count("HEAD .*/second/blobs/") == 0, "the target is known to mount its own blobs"
    assert is_complete(target, second, "second")


def test_a_large_blob_is_checked_with_a_head(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    """With a mount, its upload session would wait for as long as the blobs before it take."""
    engine = make_engine(small_blob_bytes=0)
    get_known(engine, source, target)

    copy(engine, source, target, "second")

    assert target.count("HEAD .*/second/blobs/") == len(second.blobs)
    assert target.count(OWN_MOUNT) == 0


@pytest.mark.parametrize("action", [opens_a_session, mounts_everything, reply(400), reply(403), reply(405)])
def test_a_registry_without_suitable_mounts_is_probed_once_then_gets_heads(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage, action: object
) -> None:
    assert callable(action)
    copy(engine, source, target, "first")
    target.on("POST .*mount=", action, times=EVER)
    copy(engine, source, target, "second")
    requested = target.count("POST .*mount=")
    target.requests.clear()

    copy(engine, source, target, "third")

    assert is_complete(target, second, "second")
    assert is_complete(target, small_image("third"), "third")
    # One mount of a blob that the repository has, and one of a blob of another repository. If both succeed, one of a
    # blob that no repository has.
    assert requested == (3 if action is mounts_everything else 2)
    assert target.count("POST .*mount=") == 0
    assert target.count("HEAD .*/blobs/") == 3
    assert not target.storage.uploads


def test_a_mount_probe_that_fails_with_503_is_repeated(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    copy(engine, source, target, "first")
    target.on("POST .*mount=", reply(503), times=2)
    for name in ("other", "third"):
        copy(engine, source, target, name)

    copy(engine, source, target, "second")

    assert target.count("HEAD .*/second/blobs/") == 0
    assert is_complete(target, second, "second")


def test_a_failed_mount_check_falls_back_to_a_head(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    get_known(engine, source, target)
    target.on("POST .*/third/.*mount=", reply(500), times=EVER)

    copy(engine, source, target, "third")

    assert target.count("HEAD .*/third/blobs/") == 3
    assert is_complete(target, small_image("third"), "third")


def test_a_blob_of_another_repository_is_mounted_from_that_repository(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    small_image("first").load(source.storage, "twin", "1.0")
    get_known(engine, source, target)

    result = copy(engine, source, target, "twin")

    assert result.bytes_mounted == result.bytes_total
    assert target.count("POST .*/twin/.*from=twin") == 0
    assert target.count("POST .*/twin/.*from=first") == 3


def test_the_source_must_deliver_content_that_others_put_in_the_target(
    source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    """Another client has filled the repository."""
    for content in second.blobs.values():
        target.storage.add_blob("second", content)
    engine = Engine(EngineSettings(**FAST), mounts=MemoryMounts())
    copy(engine, source, target, "first", audience=EVERYBODY)
    source.on("GET .*/second/blobs/", reply(404), times=EVER)

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target, "second", audience=EVERYBODY)

    assert caught.value.code == "not-found"
    assert not target.storage.manifest("second", "1.0")
    engine.close()


def test_private_content_is_not_used_in_mount_probes(
    source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    """A registry that mounts any blob that it has would disclose the content."""
    engine = Engine(EngineSettings(**FAST), mounts=MemoryMounts())
    copy(engine, source, target, "first", audience=Audience(configured_host=source.host))

    copy(engine, source, target, "second", audience=EVERYBODY)

    assert target.count("POST .*mount=") == 0
    assert is_complete(target, second, "second")
    engine.close()
