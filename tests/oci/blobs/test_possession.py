"""Naming content in a manifest does not prove possession: content of the target counts only after the source delivered
it."""

from __future__ import annotations

import pytest

from mirrors.demo.handler import Handler
from mirrors.demo.images import OCI_CONFIG, ImageBuilder, SampleImage, sample_image
from mirrors.images import ImageRef
from mirrors.oci import Audience, CopyRequest, Engine, EngineSettings, MemoryMounts, RegistryError
from tests.oci.conftest import FAST, ref, request
from tests.oci.samples import is_complete
from tests.support.faulty_registry import FaultyRegistry, reply

EVERYBODY = Audience(is_public=True)


class SharedMounts(MemoryMounts):
    """Mounts whose readable repositories are set by the test."""

    def __init__(self) -> None:
        super().__init__()
        self.readable: set[str] = set()

    def find(self, registry: str, digest: str, readers: Audience | None = None) -> list[str]:
        found = super().find(registry, digest, None)
        return [repository for repository in found if readers is None or repository in self.readable]


@pytest.fixture
def mounts() -> SharedMounts:
    return SharedMounts()


@pytest.fixture
def guarded(mounts: SharedMounts) -> Engine:
    return Engine(EngineSettings(**FAST), mounts=mounts)


def guarded_request(source: ImageRef, target: ImageRef) -> CopyRequest:
    return request(source, target, audience=EVERYBODY)


def stolen(image: SampleImage, thief: FaultyRegistry) -> None:
    """Make the thief's registry claim to have each blob of the image, without delivering any."""
    image.load(thief.storage, "stolen", "1.0")
    thief.on("GET .*/blobs/", reply(404), times=float("inf"))


def test_a_blob_the_source_claims_but_does_not_deliver_is_not_mounted(
    guarded: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "private", "1.0")
    guarded.copy(guarded_request(ref(source, "private:1.0"), ref(target, "private:1.0")))
    with FaultyRegistry() as thief:
        stolen(image, thief)

        with pytest.raises(RegistryError) as caught:
            guarded.copy(guarded_request(ref(thief, "stolen:1.0"), ref(target, "stolen:1.0")))

        assert caught.value.code == "not-found"
    assert target.count("POST .*/stolen/.*mount=.*from=private") == 0
    assert not [digest for repository, digest in target.storage.links if repository == "stolen"]
    assert target.storage.manifest("stolen", "1.0") is None


def test_content_reported_across_repositories_does_not_count_as_delivered(
    guarded: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    """Some registries report a blob or manifest in every repository when one repository has it."""
    image = sample_image()
    image.load(source.storage, "private", "1.0")
    guarded.copy(guarded_request(ref(source, "private:1.0"), ref(target, "private:1.0")))

    def shared(handler: Handler) -> bool:
        handler.repository = "private"
        return False

    target.on("HEAD /v2/stolen/(blobs|manifests/sha256)", shared, times=float("inf"))
    with FaultyRegistry() as thief:
        stolen(image, thief)
        with pytest.raises(RegistryError):
            guarded.copy(guarded_request(ref(thief, "stolen:1.0"), ref(target, "stolen:1.0")))
    assert target.storage.tags.get(("stolen", "1.0")) is None


def test_an_existing_blob_is_read_from_the_source_once_and_not_uploaded(
    guarded: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    """Content that other users have put at the target is read from the source once, and not uploaded."""
    builder = ImageBuilder()
    base = builder.blob(b"a base layer")
    image = builder.build(builder.image([base], builder.blob(b"{}", OCI_CONFIG)))
    image.load(source.storage, "app", "1.0")
    target.storage.add_blob("app", b"a base layer")

    guarded.copy(guarded_request(ref(source), ref(target)))

    assert is_complete(target, image)
    assert source.count(f"GET .*/blobs/{base['digest']}") == 1
    assert target.count(f"PUT .*digest={base['digest'].replace(':', '%3A')}") == 0


def test_blobs_delivered_by_an_earlier_copy_are_not_read_again(
    guarded: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    guarded.copy(guarded_request(ref(source), ref(target)))
    image.load(source.storage, "app", "1.1")
    source.requests.clear()

    result = guarded.copy(guarded_request(ref(source, "app:1.1"), ref(target, "app:1.1")))

    assert target.storage.tags["app", "1.1"] == image.root
    assert source.count("GET .*/blobs/") == 0
    assert result.bytes_copied == 0


def test_blobs_are_mounted_from_a_repository_that_all_readers_may_read(
    guarded: Engine, mounts: SharedMounts, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    image.load(source.storage, "twin", "1.0")
    guarded.copy(guarded_request(ref(source), ref(target)))
    mounts.readable.add("app")

    result = guarded.copy(guarded_request(ref(source, "twin:1.0"), ref(target, "twin:1.0")))

    assert result.bytes_mounted == image.blob_bytes
