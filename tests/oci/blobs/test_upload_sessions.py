"""Upload sessions that are opened before it is known whether they are needed: all unused ones are cancelled at the
end."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from mirrors.demo.images import OCI_CONFIG, ImageBuilder, SampleImage
from mirrors.oci import CopyCancelledError, Engine, RegistryError
from tests.oci.blobs.in_turn import EVER, OWN_MOUNT, copy, get_known, second
from tests.oci.conftest import ref, request
from tests.support.faulty_registry import FaultyRegistry, after, held, reply
from tests.support.ports import wait_until

__all__ = ["second"]


def test_upload_sessions_of_a_cancelled_copy_are_cancelled(
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


def test_upload_sessions_opened_after_the_end_of_a_copy_are_cancelled(
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


def test_upload_sessions_of_an_unreadable_index_are_cancelled(
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
