"""Registries that send slowly: their copy fails because of its rate, and copies from other registries continue."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from mirrors.demo.handler import Handler
from mirrors.demo.images import OCI_MANIFEST, ImageBuilder, sample_image
from mirrors.oci import CopyCancelledError, CopyRequest, Engine, RegistryError
from tests.oci.conftest import MakeEngine, MakeRegistry, copy, ref, request
from tests.oci.samples import is_complete
from tests.support.faulty_registry import Action, FaultyRegistry, hang, hang_up, held
from tests.support.ports import wait_until


def dripping_blob(handler: Handler) -> bool:
    """Send the blob of a GET one byte at a time, until the client closes the connection."""
    registry = handler.registry
    assert isinstance(registry, FaultyRegistry)
    content = registry.storage.blob(handler.repository, handler.rest)
    assert content is not None
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    with suppress(OSError):
        for byte in content:
            handler.wfile.write(bytes([byte]))
            if registry.closing.wait(0.05):
                break
    return hang_up(handler)


def dripping_chunk_size(handler: Handler) -> bool:
    """Send a chunked body whose first chunk never starts."""
    registry = handler.registry
    assert isinstance(registry, FaultyRegistry)
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    with suppress(OSError):
        while not registry.closing.wait(0.05):
            handler.wfile.write(b"0")
    return hang_up(handler)


def dripping_answer(handler: Handler) -> bool:
    """Read the whole upload, and send a response that never ends."""
    registry = handler.registry
    assert isinstance(registry, FaultyRegistry)
    handler.read_body()
    with suppress(OSError):
        handler.wfile.write(b"HTTP/1.1 201 Created\r\nX-Slow: ")
        while not registry.closing.wait(0.05):
            handler.wfile.write(b"x")
    return hang_up(handler)


def slow_reader(handler: Handler) -> bool:
    """Read an upload a few bytes at a time."""
    registry = handler.registry
    assert isinstance(registry, FaultyRegistry)
    with suppress(OSError):
        while not registry.closing.wait(0.05) and handler.rfile.read(10):
            pass
    return hang_up(handler)


@pytest.mark.parametrize("action", [dripping_blob, dripping_chunk_size])
def test_a_copy_from_a_source_that_sends_too_slowly_times_out(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry, action: Action
) -> None:
    sample_image(platforms=("linux/amd64",), layers=1).load(source.storage, "app", "1.0")
    source.on("GET .*/blobs/", action, times=float("inf"))

    with pytest.raises(RegistryError) as caught:
        copy(make_engine(slow_seconds=1.0, stall_timeout=1.0, retries=1), source, target)

    assert (caught.value.code, caught.value.host) == ("timeout", source.host)
    assert not target.storage.tags


def test_the_error_of_a_slow_copy_reports_its_rate(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image(platforms=("linux/amd64",), layers=1).load(source.storage, "app", "1.0")
    source.on("GET .*/blobs/", dripping_blob, times=float("inf"))

    with pytest.raises(RegistryError, match=r"was received at \d+ bytes per second for \d+ s"):
        copy(make_engine(slow_seconds=1.0), source, target)


@pytest.mark.parametrize("action", [dripping_answer, slow_reader])
def test_a_copy_to_a_target_that_is_too_slow_times_out(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry, action: Action
) -> None:
    sample_image(platforms=("linux/amd64",), layers=1, layer_bytes=16 << 20).load(source.storage, "app", "1.0")
    target.on("PUT .*/uploads/", action, times=float("inf"))

    with pytest.raises(RegistryError) as caught:
        copy(make_engine(slow_seconds=0.5, stall_timeout=1.0, upload_tries=1), source, target)

    assert (caught.value.code, caught.value.host) == ("timeout", target.host)


def test_a_copy_times_out_after_its_maximum_duration(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image(platforms=("linux/amd64",), layers=1).load(source.storage, "app", "1.0")
    source.on("GET .*/blobs/", dripping_blob, times=float("inf"))

    with pytest.raises(RegistryError, match=r"not copied within 1 s: .* a second") as caught:
        copy(make_engine(copy_seconds=1.0), source, target)

    assert (caught.value.code, caught.value.permanent) == ("timeout", False)


@contextmanager
def copied_beside(hostile: FaultyRegistry, stuck: str, engine: Engine, requests: list[CopyRequest]) -> Iterator[None]:
    """Run the copies until each has sent a request that is stuck. They are still stuck when the block ends."""
    with ThreadPoolExecutor(len(requests)) as threads:
        copies = [threads.submit(engine.copy, each) for each in requests]
        wait_until(lambda: hostile.count(stuck) >= len(requests), what="the copies that hang")
        try:
            yield
            assert not any(future.done() for future in copies)
        finally:
            engine.close()
            for future in copies:
                with suppress(RegistryError, CopyCancelledError):
                    future.result()


def test_other_images_are_copied_while_one_source_never_sends_its_blobs(
    make_engine: MakeEngine, make_registry: MakeRegistry, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    """Many images, of two namespaces, of one registry that never sends a blob."""
    hostile = make_registry()
    hostile.on("GET .*/blobs/", held(hostile.closing), times=float("inf"))
    for number in range(6):
        sample_image(seed=number, layers=6).load(hostile.storage, f"evil{number}", "1.0")
    image = sample_image(seed=99)
    image.load(source.storage, "app", "1.0")
    engine = make_engine(stall_timeout=15.0)
    evil = [
        request(ref(hostile, f"evil{n}:1.0"), ref(target, f"evil{n}:1.0"), party=f"namespace {n % 2}") for n in range(6)
    ]

    with copied_beside(hostile, "GET .*/blobs/", engine, evil):
        copy(engine, source, target)

        assert is_complete(target, image)


def test_other_images_are_copied_while_one_source_never_sends_manifests(
    make_engine: MakeEngine, make_registry: MakeRegistry, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    """Seven images whose indexes have hundreds of manifests that the registry never sends."""
    hostile = make_registry()
    builder = ImageBuilder()
    absent = [{"mediaType": OCI_MANIFEST, "digest": f"sha256:{n:064x}", "size": 10} for n in range(500)]
    builder.build(builder.index(absent)).load(hostile.storage, "evil", "1.0")
    hostile.on("GET .*/manifests/sha256:0", hang, times=float("inf"))
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    engine = make_engine(reply_timeout=20.0)
    evil = [request(ref(hostile, "evil:1.0"), ref(target, f"evil{n}:1.0")) for n in range(7)]

    with copied_beside(hostile, "GET .*/manifests/sha256:0", engine, evil):
        copy(engine, source, target)

        assert is_complete(target, image)
