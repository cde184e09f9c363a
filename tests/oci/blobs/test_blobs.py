"""One blob from source to target: chunks, sessions, interruptions and digests."""

from __future__ import annotations

import hashlib

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.handler import Handler
from mirrors.demo.images import OCI_CONFIG, ImageBuilder
from mirrors.oci import Credential, Engine, RegistryError
from tests.oci.conftest import MakeEngine, MakeRegistry, access, copy, ref, request
from tests.oci.samples import one_blob
from tests.support.faulty_registry import Action, FaultyRegistry, cut, endless, hang, hang_up, reply, trickle
from tests.support.ports import wait_until
from tests.support.registries import Registry

MIB = 1024 * 1024


def big(size: int = 5 * MIB) -> bytes:
    return hashlib.shake_128(b"big").digest(size)


def cut_upload(handler: Handler) -> bool:
    """Read a part of a PUT's body and close the connection."""
    handler.rfile.read(1000)
    return hang_up(handler)


def test_an_interrupted_download_is_resumed_within_the_same_upload(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image, digest = one_blob(big())
    image.load(source.storage, "app", "1.0")
    source.on(f"GET .*/blobs/{digest}", cut(MIB + 1), times=99)

    result = copy(engine, source, target)

    assert target.storage.blob("app", digest) == big()
    assert target.count(f"PUT .*digest={digest.replace(':', '%3A')}") == 1
    ranges = [requested.headers.get("Range", "") for requested in source.found(f"GET .*/blobs/{digest}")]
    starts = [0, *(int(value.removeprefix("bytes=").removesuffix("-")) for value in ranges[1:])]
    assert starts == [n * (MIB + 1) for n in range(5)]
    assert result.bytes_copied == 5 * MIB + 2


def test_a_download_interrupted_after_each_100_bytes_fails_after_its_retries(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image, digest = one_blob(big(MIB))
    image.load(source.storage, "app", "1.0")
    source.on(f"GET .*/blobs/{digest}", cut(100), times=999)

    with pytest.raises(RegistryError) as caught:
        copy(make_engine(retries=2), source, target)

    assert caught.value.code == "unavailable"
    assert not caught.value.permanent
    assert source.count(f"GET .*/blobs/{digest}") == 3 * 3


@pytest.mark.parametrize("fault", [reply(503), hang_up, cut(100)])
def test_a_blob_that_always_fails_is_requested_eighteen_times(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, fault: Action
) -> None:
    """Three uploads, each with one request and five retries: retries of requests do not multiply with retries of
    blobs."""
    image, digest = one_blob(big(MIB))
    image.load(source.storage, "app", "1.0")
    source.on(f"GET .*/blobs/{digest}", fault, times=999)

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert not caught.value.permanent
    assert source.count(f"GET .*/blobs/{digest}") == 3 * 6


@pytest.mark.parametrize("content_range", ["", "bytes 7-9/10", "bytes 0-1048575/1048576"])
def test_a_response_with_an_unrequested_range_restarts_the_blob(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, content_range: str
) -> None:
    content = big(MIB)
    image, digest = one_blob(content)
    image.load(source.storage, "app", "1.0")
    source.on(f"GET .*/blobs/{digest}", cut(1000))
    status, headers = (206, {"Content_Range": content_range}) if content_range else (200, {})
    source.on(f"GET .*/blobs/{digest}", reply(status, content, **headers))

    copy(engine, source, target)

    assert target.storage.blob("app", digest) == content
    assert target.count("POST ") == 3


def test_a_stalled_download_is_retried(make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry) -> None:
    image, digest = one_blob(b"content")
    image.load(source.storage, "app", "1.0")
    source.on(f"GET .*/blobs/{digest}", hang)

    copy(make_engine(stall_timeout=0.3), source, target)

    assert target.storage.blob("app", digest) == b"content"


def test_a_slow_download_may_take_longer_than_any_timeout(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image, digest = one_blob(b"x" * 100)
    image.load(source.storage, "app", "1.0")
    source.on(f"GET .*/blobs/{digest}", trickle(12, 0.08))

    copy(make_engine(stall_timeout=0.7, reply_timeout=0.7, retries=0, upload_tries=1), source, target)

    assert target.storage.blob("app", digest) == b"x" * 100
    assert source.count(f"GET .*/blobs/{digest}") == 1


def test_an_upload_with_content_that_does_not_match_its_digest_is_not_completed(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    content = big(MIB)
    image, digest = one_blob(content)
    image.load(source.storage, "app", "1.0")
    source.on(f"GET .*/blobs/{digest}", reply(200, content[:-1] + b"!"))
    received: list[int] = []

    def measure(handler: Handler) -> bool:
        received.append(len(handler.read_body()))
        return hang_up(handler)

    target.on(f"PUT .*{digest.partition(':')[2]}", measure)

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert caught.value.code == "bad-digest"
    assert all(size < len(content) for size in received)
    assert target.storage.blob("app", digest) is None
    assert source.count(f"GET .*/blobs/{digest}") == 1


def test_a_real_registry_does_not_store_a_blob_with_corrupt_content(
    engine: Engine, source: FaultyRegistry, distribution_registry: Registry
) -> None:
    content = big(MIB)
    image, digest = one_blob(content)
    image.load(source.storage, "app", "1.0")
    source.on(f"GET .*/blobs/{digest}", reply(200, content[:-1] + b"!"))

    with pytest.raises(RegistryError) as caught:
        engine.copy(request(ref(source), ref(distribution_registry, "damaged/app:1.0")))

    assert caught.value.code == "bad-digest"
    repository = distribution_registry.data / "docker/registry/v2/repositories/damaged/app"
    assert not list(repository.glob(f"_layers/sha256/{digest.partition(':')[2]}"))


def test_an_upload_to_a_real_registry_is_cancelled_if_the_source_returns_404(
    engine: Engine, source: FaultyRegistry, distribution_registry: Registry
) -> None:
    image, _ = one_blob(b"content")
    image.load(source.storage, "app", "1.0")
    uploads = distribution_registry.data / "docker/registry/v2/repositories/cancelled/app/_uploads"

    def nothing_once_the_upload_is_open(handler: Handler) -> bool:
        wait_until(lambda: list(uploads.glob("*/data")))
        return reply(404)(handler)

    source.on("GET .*/blobs/", nothing_once_the_upload_is_open, times=99)

    with pytest.raises(RegistryError):
        engine.copy(request(ref(source), ref(distribution_registry, "cancelled/app:1.0")))

    wait_until(lambda: not list(uploads.glob("*/data")))


@pytest.mark.parametrize("longer", [reply(200, b"more than the descriptor says"), endless])
def test_a_blob_longer_than_its_descriptor_is_rejected(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, longer: object
) -> None:
    image, digest = one_blob(b"short")
    image.load(source.storage, "app", "1.0")
    source.on(f"GET .*/blobs/{digest}", longer, times=9)  # type: ignore[arg-type]

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert caught.value.code == "bad-digest"
    assert target.storage.blob("app", digest) is None


def test_an_interrupted_upload_restarts_in_a_new_session(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image, digest = one_blob(big(MIB))
    image.load(source.storage, "app", "1.0")
    encoded = digest.replace(":", "%3A")
    target.on(f"PUT .*{encoded}", cut_upload, times=2)

    result = copy(engine, source, target)

    paths = [requested.path for requested in target.found(f"PUT .*{encoded}")]
    assert len(paths) == len(set(paths)) == 3, "a session was used twice"
    assert target.storage.blob("app", digest) == big(MIB)
    assert target.storage.uploads == {}, "an upload was not cancelled"
    assert result.bytes_copied == MIB + 2


def test_an_upload_that_is_always_interrupted_is_attempted_three_times(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image, digest = one_blob(b"content")
    image.load(source.storage, "app", "1.0")
    encoded = digest.replace(":", "%3A")
    target.on(f"PUT .*{encoded}", hang_up, times=99)

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert not caught.value.permanent
    assert target.count(f"PUT .*{encoded}") == 3
    wait_until(lambda: target.storage.uploads == {})


def test_no_put_request_is_sent_for_a_blob_that_cannot_be_read(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image, _ = one_blob(b"content")
    image.load(source.storage, "app", "1.0")
    source.on("GET .*/blobs/", reply(404), times=99)

    with pytest.raises(RegistryError):
        copy(engine, source, target)

    assert target.count("PUT ") == 0


def test_a_token_revoked_during_an_upload_restarts_it_in_a_new_session(
    engine: Engine, source: FaultyRegistry, make_registry: MakeRegistry
) -> None:
    gatekeeper = Gatekeeper("token", "mirror", "pass")
    target = make_registry(gatekeeper)
    image, digest = one_blob(big(MIB))
    image.load(source.storage, "app", "1.0")

    def end_tokens(handler: Handler) -> bool:
        gatekeeper.revoke_all()
        return False

    target.on(f"PUT .*{digest.replace(':', '%3A')}", end_tokens)
    login = access(target.host, Credential("mirror", "pass"))

    engine.copy(request(ref(source), ref(target), target_access=login))

    paths = [requested.path for requested in target.found(f"PUT .*{digest.replace(':', '%3A')}")]
    assert len(set(paths)) == 2
    assert target.storage.blob("app", digest) == big(MIB)


def test_blobs_are_copied_largest_first(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    build = ImageBuilder()
    layers = [build.blob(b"x" * size) for size in (10, 1000, 100)]
    image = build.build(build.image(layers, build.blob(b"{}", OCI_CONFIG)))
    image.load(source.storage, "app", "1.0")

    copy(make_engine(blobs=1, small_blob_bytes=0), source, target)

    fetched = [requested.path.rpartition("/")[2] for requested in source.found("GET .*/blobs/")]
    sizes = [len(image.blobs[digest]) for digest in fetched]
    assert sizes == [1000, 100, 10, 2]
