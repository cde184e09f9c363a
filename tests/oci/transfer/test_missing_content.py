"""A push is retried if the registry does not find content of the manifest, and the next copy uploads missing
content."""

from __future__ import annotations

import json

import pytest

from mirrors.demo.handler import Handler
from mirrors.demo.images import sample_image
from mirrors.oci import Engine, RegistryError
from tests.oci.conftest import copy
from tests.oci.samples import is_complete
from tests.support.faulty_registry import FaultyRegistry, reply

EVER = float("inf")


def refusal(*codes: str) -> bytes:
    return json.dumps({"errors": [{"code": code} for code in codes]}).encode()


@pytest.mark.parametrize("status", [400, 404])
@pytest.mark.parametrize(
    "codes",
    [
        ("DIGEST_INVALID", "MANIFEST_BLOB_UNKNOWN"),
        ("MANIFEST_BLOB_UNKNOWN",),
        ("BLOB_UNKNOWN",),
        ("MANIFEST_UNKNOWN",),
        ("LayersNotFoundException",),
    ],
)
@pytest.mark.parametrize("times", [1, 2])
def test_a_push_is_retried_if_the_registry_does_not_find_its_content(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, status: int, codes: tuple[str, ...], times: int
) -> None:
    """Distribution on a file system writes the link to a blob again when the blob is mounted or uploaded again."""
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    target.on("PUT .*/manifests/", reply(status, refusal(*codes)), times=times)

    copy(engine, source, target)

    assert is_complete(target, image)


def test_removed_blobs_are_copied_by_the_next_attempt(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")

    def collect_garbage(handler: Handler) -> bool:
        target.storage.links.clear()
        return reply(404, refusal("MANIFEST_BLOB_UNKNOWN"))(handler)

    target.on("PUT .*/manifests/", collect_garbage, times=EVER)
    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)
    target.heal()

    copy(engine, source, target)

    assert (caught.value.code, caught.value.permanent, caught.value.says_step) == ("unavailable", False, True)
    assert "the next attempt copies what is missing" in str(caught.value)
    assert is_complete(target, image)


@pytest.mark.parametrize(
    ("status", "code", "means"),
    [
        (400, "DIGEST_INVALID", "bad-digest"),
        (400, "MANIFEST_INVALID", "invalid"),
        (404, "NAME_UNKNOWN", "not-found"),
        (403, "DENIED", "denied"),
    ],
)
def test_a_manifest_rejected_for_another_reason_is_not_retried(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, status: int, code: str, means: str
) -> None:
    sample_image(platforms=("linux/amd64",)).load(source.storage, "app", "1.0")
    target.on("PUT .*/manifests/", reply(status, refusal(code)), times=EVER)

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert (caught.value.code, caught.value.permanent) == (means, True)
    assert target.count("PUT .*/manifests/") == 1


def test_a_missing_blob_with_a_stale_head_is_copied_by_the_next_attempt(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    """A cache in front of the registry still serves HEADs of blobs that its garbage collection has removed."""
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    removed = max(image.blobs, key=lambda digest: len(image.blobs[digest]))
    target.on(f"HEAD .*/blobs/{removed}", reply(200, image.blobs[removed]), times=EVER)

    def miss(handler: Handler) -> bool:
        return target.storage.blob("app", removed) is None and reply(400, refusal("MANIFEST_BLOB_UNKNOWN"))(handler)

    target.on("PUT .*/manifests/", miss, times=EVER)
    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)
    assert not caught.value.permanent

    copy(engine, source, target)

    assert is_complete(target, image)
