"""What a target was seen to do: later copies look for a small blob and open its upload by one request, and believe a
HEAD that denies a tag. Nothing is taken for known that was not seen."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mirrors.demo.handler import Handler
from mirrors.demo.images import OCI_CONFIG, ImageBuilder, SampleImage
from mirrors.oci import CopyCancelledError, CopyResult, Engine, EngineSettings, MemoryMounts, Readers, RegistryError
from tests.oci.conftest import FAST, MakeEngine, ref, request
from tests.oci.samples import is_complete
from tests.support.faulty_registry import FaultyRegistry, after, held, reply
from tests.support.ports import wait_until

EVER = float("inf")
EVERYBODY = Readers(is_everybody=True)
OWN_MOUNT = "POST .*/second/.*mount=.*from=second"


def small_image(name: str) -> SampleImage:
    """Three small blobs of its own."""
    builder = ImageBuilder()
    layers = [builder.blob(f"{name} {number}".encode()) for number in range(2)]
    return builder.build(builder.image(layers, builder.blob(f'{{"name": "{name}"}}'.encode(), OCI_CONFIG)))


@pytest.fixture
def second(source: FaultyRegistry) -> SampleImage:
    """What the source has beside three images of other repositories."""
    for name in ("first", "other", "third"):
        small_image(name).load(source.storage, name, "1.0")
    image = small_image("second")
    image.load(source.storage, "second", "1.0")
    return image


def copy(engine: Engine, source: FaultyRegistry, target: FaultyRegistry, name: str, **options: object) -> CopyResult:
    return engine.copy(request(ref(source, f"{name}:1.0"), ref(target, f"{name}:1.0"), **options))


def get_known(engine: Engine, source: FaultyRegistry, target: FaultyRegistry) -> None:
    """The target is asked for its traits by the second copy, whose other requests do not wait for that."""
    copy(engine, source, target, "first")
    copy(engine, source, target, "other")
    target.asked.clear()


def opens_a_session(handler: Handler) -> bool:
    """In place of a mount, as registries do that have none."""
    handler._upload_accepted(handler.registry.storage.start_upload())
    return True


def mounts_everything(handler: Handler) -> bool:
    """Whichever repository has it."""
    digest = handler.query["mount"][0]
    handler.registry.storage.links.add((handler.repository, digest))
    handler.answer(201, Location=f"/v2/{handler.repository}/blobs/{digest}", Docker_Content_Digest=digest)
    return True


def test_a_small_blob_is_looked_for_and_its_upload_opened_by_one_request(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    get_known(engine, source, target)

    result = copy(engine, source, target, "second")

    assert is_complete(target, second, "second")
    assert result.bytes_copied == second.blob_bytes
    assert target.count("HEAD .*/blobs/") == 0
    assert target.count("POST .*/uploads/$") == 0
    assert not target.storage.uploads, "no session is left open"


def test_a_small_blob_that_is_there_is_not_sent_again(
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


def test_a_blob_that_the_repository_is_known_to_have_is_looked_for_by_a_head(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    """A mount would write its link again, which distribution does not read meanwhile: somebody may pull the blob."""
    small_image("first").load(source.storage, "first", "1.1")
    get_known(engine, source, target)
    target.storage.manifests.clear()

    engine.copy(request(ref(source, "first:1.1"), ref(target, "first:1.1")))

    assert target.count("POST .*mount=") == 0
    assert target.count("HEAD .*/first/blobs/") == 3


def test_a_repository_that_may_be_read_already_is_not_asked_for_its_traits(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    copy(engine, source, target, "first")
    target.asked.clear()

    copy(engine, source, target, "other")

    places: dict[str, list[int]] = {"mount=": [], "/manifests/": []}
    for place, each in enumerate(target.asked):
        for kind, found in places.items():
            if each.method in ("POST", "PUT") and kind in each.path:
                found.append(place)
    assert target.count("POST .*/other/.*mount=") == len(places["mount="]) == 2
    assert max(places["mount="]) < min(places["/manifests/"]), "nobody reads the blob before that"


def test_a_repository_is_not_asked_by_a_mount_about_a_blob_that_it_has(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    """Such a mount would find the blob, as it should, and be taken for one of what others have."""
    builder = ImageBuilder()
    shared = [builder.blob(f"shared {number}".encode()) for number in range(3)]
    for name in ("first", "other"):
        own = builder.blob(f"own of {name}".encode())
        builder.build(builder.image([*shared, own], builder.blob(name.encode(), OCI_CONFIG))).load(
            source.storage, name, "2.0"
        )
    for name in ("first", "other"):
        engine.copy(request(ref(source, f"{name}:2.0"), ref(target, f"{name}:2.0")))
    target.asked.clear()

    copy(engine, source, target, "third")
    copy(engine, source, target, "second")

    assert target.count("HEAD .*/second/blobs/") == 0, "the target is known to mount its own blobs"
    assert is_complete(target, second, "second")


def test_a_large_blob_is_looked_for_by_a_head(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    """Its session would wait for as long as the blobs before it take."""
    engine = make_engine(small_blob_bytes=0)
    get_known(engine, source, target)

    copy(engine, source, target, "second")

    assert target.count("HEAD .*/second/blobs/") == len(second.blobs)
    assert target.count(OWN_MOUNT) == 0


@pytest.mark.parametrize("action", [opens_a_session, mounts_everything, reply(400), reply(403), reply(405)])
def test_a_registry_that_mounts_otherwise_is_asked_once_and_then_by_heads(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage, action: object
) -> None:
    assert callable(action)
    copy(engine, source, target, "first")
    target.on("POST .*mount=", action, times=EVER)
    copy(engine, source, target, "second")
    asked = target.count("POST .*mount=")
    target.asked.clear()

    copy(engine, source, target, "third")

    assert is_complete(target, second, "second")
    assert is_complete(target, small_image("third"), "third")
    assert asked == 2, "once about its own blob, and once about one of another repository"
    assert target.count("POST .*mount=") == 0
    assert target.count("HEAD .*/blobs/") == 3
    assert not target.storage.uploads


def test_a_registry_that_fails_when_it_is_asked_is_asked_again(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    copy(engine, source, target, "first")
    target.on("POST .*mount=", reply(503), times=2)
    for name in ("other", "third"):
        copy(engine, source, target, name)

    copy(engine, source, target, "second")

    assert target.count("HEAD .*/second/blobs/") == 0
    assert is_complete(target, second, "second")


def test_a_look_that_fails_is_a_head(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    get_known(engine, source, target)
    target.on("POST .*/third/.*mount=", reply(500), times=EVER)

    copy(engine, source, target, "third")

    assert target.count("HEAD .*/third/blobs/") == 3
    assert is_complete(target, small_image("third"), "third")


def test_what_another_repository_has_is_mounted_from_there(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    small_image("first").load(source.storage, "twin", "1.0")
    get_known(engine, source, target)

    result = copy(engine, source, target, "twin")

    assert result.bytes_mounted == result.bytes_total
    assert target.count("POST .*/twin/.*from=twin") == 0
    assert target.count("POST .*/twin/.*from=first") == 3


def test_sessions_of_a_copy_that_is_cancelled_are_given_up(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    get_known(engine, source, target)
    release, cancelled = threading.Event(), threading.Event()
    source.on("GET .*/second/blobs/", held(release), times=EVER)

    with ThreadPoolExecutor(1) as pool:
        job = request(ref(source, "second:1.0"), ref(target, "second:1.0"))
        running = pool.submit(engine.copy, job, cancelled=cancelled.is_set)
        wait_until(lambda: len(target.storage.uploads) == len(second.blobs))
        cancelled.set()
        with pytest.raises(CopyCancelledError):
            running.result()
    release.set()

    wait_until(lambda: not target.storage.uploads)


def test_sessions_that_are_opened_after_the_end_of_a_copy_are_given_up(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    get_known(engine, source, target)
    release, cancelled = threading.Event(), threading.Event()
    target.on(OWN_MOUNT, after(release), times=EVER)

    with ThreadPoolExecutor(1) as pool:
        job = request(ref(source, "second:1.0"), ref(target, "second:1.0"))
        running = pool.submit(engine.copy, job, cancelled=cancelled.is_set)
        wait_until(lambda: target.count(OWN_MOUNT) == len(second.blobs))
        cancelled.set()
        with pytest.raises(CopyCancelledError):
            running.result()
    assert not target.storage.uploads
    release.set()

    wait_until(lambda: target.count("DELETE .*/uploads/") == len(second.blobs))
    wait_until(lambda: not target.storage.uploads)


def test_sessions_of_an_index_that_cannot_be_read_are_given_up(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    builder = ImageBuilder()
    good, bad = (builder.image([builder.blob(name)], builder.blob(b"{}", OCI_CONFIG)) for name in (b"good", b"bad"))
    builder.build(builder.index([good, bad])).load(source.storage, "index", "1.0")
    get_known(engine, source, target)
    release = threading.Event()
    source.on(f"GET .*/manifests/{bad['digest']}", after(release, reply(400)), times=EVER)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(copy, engine, source, target, "index")
        wait_until(lambda: target.storage.uploads)
        release.set()
        with pytest.raises(RegistryError):
            running.result()

    wait_until(lambda: not target.storage.uploads)


def test_content_that_is_not_known_has_to_be_delivered_whatever_the_target_has(
    source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    """A repository that somebody else has filled."""
    for content in second.blobs.values():
        target.storage.add_blob("second", content)
    engine = Engine(EngineSettings(**FAST), mounts=MemoryMounts())
    copy(engine, source, target, "first", readers=EVERYBODY)
    source.on("GET .*/second/blobs/", reply(404), times=EVER)

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target, "second", readers=EVERYBODY)

    assert caught.value.code == "not-found"
    assert not target.storage.manifest("second", "1.0")
    engine.close()


def test_private_content_is_not_what_a_target_is_asked_about(
    source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    """A registry that mounts whatever it has would give it away."""
    engine = Engine(EngineSettings(**FAST), mounts=MemoryMounts())
    copy(engine, source, target, "first", readers=Readers(configured_host=source.host))

    copy(engine, source, target, "second", readers=EVERYBODY)

    assert target.count("POST .*mount=") == 0
    assert is_complete(target, second, "second")
    engine.close()


def test_a_target_that_answers_heads_is_not_asked_twice_for_a_new_tag(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    get_known(engine, source, target)

    copy(engine, source, target, "second")

    assert target.count("HEAD .*/manifests/") == 1
    assert target.count("GET ") == 0


@pytest.mark.parametrize("status", [403, 405])
def test_a_head_that_is_refused_is_followed_by_a_get_all_the_same(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage, status: int
) -> None:
    get_known(engine, source, target)
    second.load(target.storage, "second", "1.0")
    target.on("HEAD .*/second/manifests/", reply(status), times=EVER)

    result = copy(engine, source, target, "second")

    assert result.unchanged
    assert target.count("GET .*/second/manifests/1.0") == 1


def test_a_tag_that_has_been_deleted_since_shows_nothing_for_good(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    """The next tag that is written is asked for in its place: until then a GET settles what a HEAD denies."""
    copy(engine, source, target, "first")
    del target.storage.tags["first", "1.0"]

    copy(engine, source, target, "second")
    assert target.count("GET .*/second/manifests/1.0") == 1
    copy(engine, source, target, "third")

    assert is_complete(target, small_image("third"), "third")


def test_a_source_is_asked_once_for_an_image_that_follows_another_new_one(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    copy(engine, source, target, "first")
    source.asked.clear()

    copy(engine, source, target, "second")

    assert [each.method for each in source.found(".*/manifests/")] == ["GET"]
    assert is_complete(target, second, "second")


def test_an_image_that_is_there_is_not_read_even_where_the_one_before_was_new(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    """Docker Hub counts the GET of a manifest, and not a HEAD."""
    second.load(target.storage, "second", "1.0")
    copy(engine, source, target, "first")
    source.asked.clear()

    result = copy(engine, source, target, "second")

    assert result.unchanged
    assert [each.method for each in source.asked] == ["HEAD"]


def test_a_tag_that_was_moved_is_copied_where_the_image_before_was_new(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, second: SampleImage
) -> None:
    small_image("third").load(target.storage, "second", "1.0")
    copy(engine, source, target, "first")

    result = copy(engine, source, target, "second")

    assert not result.unchanged
    assert is_complete(target, second, "second")
