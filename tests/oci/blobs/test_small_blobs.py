"""Small blobs are read whole before they are sent, and do not wait for large ones."""

from __future__ import annotations

import threading

import pytest

from mirrors.demo.images import ImageBuilder, SampleImage, sample_image
from mirrors.oci import RegistryError
from mirrors.oci.common.engine_settings import KIB
from tests.oci.conftest import MakeEngine, access, copy, ref, under_way
from tests.support.faulty_registry import FaultyRegistry, after, cut, held, reply
from tests.support.ports import wait_until

SMALL = 4 * KIB


def mixed(*, large: int, small: int) -> SampleImage:
    builder = ImageBuilder()
    layers = [builder.blob(bytes([number]) * (SMALL + 1)) for number in range(large)]
    layers += [builder.blob(bytes([number]) * SMALL) for number in range(small)]
    return builder.build(builder.image(layers, builder.blob(b"{}", "application/vnd.oci.image.config.v1+json")))


def test_small_blobs_do_not_wait_for_large_ones(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = mixed(large=20, small=20)
    image.load(source.storage, "app", "1.0")
    large = [digest for digest, content in image.blobs.items() if len(content) > SMALL]
    release = threading.Event()
    for digest in large:
        source.on(f"GET .*/blobs/{digest}", held(release))
    engine = make_engine(small_blob_bytes=SMALL)

    with under_way(release, lambda: copy(engine, source, target)) as copying:
        wait_until(lambda: target.count("PUT .*/blobs") == 21)
        assert not set(large) & target.storage.blobs.keys()

    assert copying.result().target_digest == image.root


def test_stalled_small_blobs_leave_request_slots_for_other_requests(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    mixed(large=0, small=40).load(source.storage, "app", "1.0")
    release = threading.Event()
    source.on("GET .*/blobs/", held(release), times=99)
    engine = make_engine(small_blob_bytes=SMALL, requests_per_host=8)

    with under_way(release, lambda: copy(engine, source, target)) as copying:
        wait_until(lambda: source.count("GET .*/blobs/") == 7)
        assert engine.head(ref(source), access(source.host)) is not None
        assert source.count("GET .*/blobs/") == 7

    copying.result()


def test_a_target_slow_to_store_small_blobs_holds_no_slot_of_the_source(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    mixed(large=0, small=10).load(source.storage, "app", "1.0")
    release = threading.Event()
    target.on("PUT .*/blobs/", after(release), times=99)
    engine = make_engine(small_blob_bytes=SMALL, requests_per_host=2)

    with under_way(release, lambda: copy(engine, source, target)) as copying:
        wait_until(lambda: target.count("PUT .*/blobs/") == 11)

    assert copying.result().bytes_copied == 10 * SMALL + 2


@pytest.mark.parametrize("size", [1, SMALL - 1])
def test_an_interrupted_download_of_a_small_blob_is_completed(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry, size: int
) -> None:
    image = mixed(large=0, small=3)
    image.load(source.storage, "app", "1.0")
    source.on("GET .*/blobs/", cut(size), times=3)

    copy(make_engine(small_blob_bytes=SMALL), source, target)

    assert target.storage.tags["app", "1.0"] == image.root
    assert image.blobs.items() <= target.storage.blobs.items()


def test_the_upload_session_of_an_unreadable_small_blob_is_cancelled(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image(platforms=("linux/amd64",), layers=1, layer_bytes=100).load(source.storage, "app", "1.0")
    source.on("GET .*/blobs/", reply(404), times=99)

    with pytest.raises(RegistryError):
        copy(make_engine(), source, target)

    wait_until(lambda: target.count("DELETE .*/uploads/") == target.count("POST .*/uploads/"))
    assert target.count("PUT .*/blobs/") == 0
