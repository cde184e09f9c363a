"""Blobs that are mounted from another repository instead of sent."""

from __future__ import annotations

import pytest

from mirrors.demo.handler import Handler
from mirrors.demo.images import sample_image
from mirrors.oci import Engine, RegistryError
from tests.oci.conftest import MakeRegistry, copy, ref, request
from tests.oci.samples import one_blob
from tests.support.faulty_registry import FaultyRegistry, reply


def test_a_blob_of_another_repository_is_mounted(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    image.load(source.storage, "twin", "1.0")
    copy(engine, source, target)

    result = engine.copy(request(ref(source, "twin:1.0"), ref(target, "twin:1.0")))

    assert result.bytes_mounted == result.bytes_total == image.blob_bytes
    assert target.count("POST .*mount=.*&from=app") == len(image.blobs)
    assert source.count("GET .*/twin/blobs/") == 0


def test_a_blob_is_copied_within_one_registry_with_one_request(engine: Engine, target: FaultyRegistry) -> None:
    image = sample_image()
    image.load(target.storage, "app", "1.0")

    result = engine.copy(request(ref(target, "app:1.0"), ref(target, "copy:1.0")))

    assert result.bytes_mounted == result.bytes_total == image.blob_bytes
    assert target.count("POST .*mount=.*&from=app") == len(image.blobs)
    assert target.count(".*/blobs/") == len(image.blobs), "neither side is asked for a blob before"


def test_a_blob_copied_before_within_one_registry_is_not_mounted_again(engine: Engine, target: FaultyRegistry) -> None:
    """The mount would write the blob's link again, and distribution cannot read the blob while it does. A client might
    be pulling the blob."""
    image = sample_image()
    for tag in ("1.0", "1.1"):
        image.load(target.storage, "app", tag)
    engine.copy(request(ref(target, "app:1.0"), ref(target, "copy:1.0")))
    for digest in image.manifests:
        target.storage.manifests.pop(("copy", digest))
    target.requests.clear()

    result = engine.copy(request(ref(target, "app:1.1"), ref(target, "copy:1.1")))

    assert result.bytes_skipped == result.bytes_total
    assert target.count("POST ") == 0


def test_existing_blobs_are_not_uploaded_to_a_registry_without_mounts(engine: Engine, target: FaultyRegistry) -> None:
    image = sample_image()
    for name in ("app", "copy"):
        image.load(target.storage, name, "1.0")
    target.storage.tags.pop(("copy", "1.0"))
    for digest in image.manifests:
        target.storage.manifests.pop(("copy", digest))
    opened = []

    def session(handler: Handler) -> bool:
        opened.append(target.storage.start_upload())
        handler._upload_accepted(opened[-1])
        return True

    target.on("POST .*mount=", session, times=99)

    result = engine.copy(request(ref(target, "app:1.0"), ref(target, "copy:1.0")))

    assert result.bytes_skipped == result.bytes_total
    assert target.count("PUT .*/blobs/uploads/") == 0
    assert target.count("DELETE .*/blobs/uploads/") == len(opened) == len(image.blobs), "no session is left open"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405])
def test_a_rejected_mount_falls_back_to_an_upload(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, status: int
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    image.load(source.storage, "twin", "1.0")
    copy(engine, source, target)
    target.on("POST .*mount=", reply(status), times=99)

    result = engine.copy(request(ref(source, "twin:1.0"), ref(target, "twin:1.0")))

    assert result.bytes_copied == image.blob_bytes


def test_an_upload_session_opened_instead_of_a_mount_is_used(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image, digest = one_blob(b"content")
    image.load(source.storage, "app", "1.0")
    image.load(source.storage, "twin", "1.0")
    copy(engine, source, target)
    target.storage.links.clear()
    target.requests.clear()

    result = engine.copy(request(ref(source, "twin:1.0"), ref(target, "twin:1.0")))

    assert result.bytes_copied == result.bytes_total
    assert target.count("POST ") == target.count("POST .*mount=.*from=") == len(image.blobs)


def test_nothing_is_mounted_from_another_registry(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, make_registry: MakeRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")
    copy(engine, source, make_registry())

    copy(engine, source, target)

    assert target.count("POST .*(mount|from)=") == 0


def test_blobs_are_not_checked_in_a_new_repository(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")

    engine.copy(request(ref(source), ref(target), target_is_new=True))

    assert [str(requested) for requested in target.requests if requested.method == "HEAD"] == [
        "HEAD /v2/app/manifests/1.0"
    ]


def test_layers_that_the_source_does_not_serve_are_not_mounted(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, make_registry: MakeRegistry
) -> None:
    """A manifest can name the layers of a private image of another user that the target has."""
    sample_image().load(source.storage, "app", "1.0")
    copy(engine, source, target)
    thief = make_registry()
    sample_image().load(thief.storage, "stolen", "1.0")
    thief.on("(GET|HEAD) .*/blobs/", reply(404), times=float("inf"))

    with pytest.raises(RegistryError):
        engine.copy(request(ref(thief, "stolen:1.0"), ref(target, "stolen:1.0")))

    assert target.count("POST .*mount=") == 0
    assert not target.storage.manifest("stolen", "1.0")
