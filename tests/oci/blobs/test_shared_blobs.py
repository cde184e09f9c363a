"""Concurrent copies that need the same blob transfer it once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.images import OCI_CONFIG, ImageBuilder, SampleImage, sample_image
from mirrors.oci import CopyCancelledError, CopyResult, Credential, Engine, Progress, RegistryError
from tests.oci.conftest import MakeEngine, MakeRegistry, access, ref, request
from tests.support.faulty_registry import FaultyRegistry, hang, held, trickle
from tests.support.ports import wait_until


def two_tags(source: FaultyRegistry) -> tuple[SampleImage, str]:
    """Load `app:one` and `app:two`, different images with one common layer, and return the last image and the layer's
    digest."""
    build = ImageBuilder()
    layer = build.blob(b"shared layer" * 1000)
    for tag in ("one", "two"):
        image = build.build(build.image([layer], build.blob(tag.encode(), OCI_CONFIG)))
        image.load(source.storage, "app", tag)
    return image, layer["digest"]


def both_wait_for_the_layer(source: FaultyRegistry) -> bool:
    """Return whether three blobs were requested: the layer, and the two configurations, which are requested after it
    because they are smaller."""
    return source.count("GET .*/blobs/") >= 3


class Copies:
    """Copies of `app:one` and `app:two` on separate threads, which can be cancelled separately."""

    def __init__(
        self, engine: Engine, source: FaultyRegistry, target: FaultyRegistry, pool: ThreadPoolExecutor
    ) -> None:
        self._engine, self._source, self._target, self._pool = engine, source, target, pool

    def start(self, tag: str, **options: object) -> tuple[Callable[[], CopyResult], threading.Event]:
        cancel = threading.Event()
        reference = f"app:{tag}"
        order = request(ref(self._source, reference), ref(self._target, reference), **options)
        future = self._pool.submit(self._engine.copy, order, cancelled=cancel.is_set)
        return (lambda: future.result(10)), cancel


def test_a_layer_shared_by_two_images_is_transferred_once(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    _, layer = two_tags(source)
    release = threading.Event()
    source.on(f"GET .*/blobs/{layer}", held(release))
    with ThreadPoolExecutor(2) as pool:
        copies = Copies(engine, source, target, pool)
        one, _ = copies.start("one")
        wait_until(lambda: source.count(f"GET .*/blobs/{layer}") == 1)
        two, _ = copies.start("two")
        wait_until(lambda: both_wait_for_the_layer(source))
        release.set()
        moved = one().bytes_copied + two().bytes_copied

    assert source.count(f"GET .*/blobs/{layer}") == 1
    assert moved == len(b"shared layer" * 1000) + len("one") + len("two")
    assert {tag for _, tag in target.storage.tags} == {"one", "two"}


def test_cancelling_the_first_of_two_copies_does_not_fail_the_second(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    _, layer = two_tags(source)
    release = threading.Event()
    source.on(f"GET .*/blobs/{layer}", held(release, after=100))
    with ThreadPoolExecutor(2) as pool:
        copies = Copies(engine, source, target, pool)
        one, cancel_one = copies.start("one")
        wait_until(lambda: source.count(f"GET .*/blobs/{layer}") == 1)
        two, _ = copies.start("two")
        wait_until(lambda: both_wait_for_the_layer(source))

        cancel_one.set()
        with pytest.raises(CopyCancelledError):
            one()
        release.set()

        assert two().target_tag == "two"

    assert source.count(f"GET .*/blobs/{layer}") == 1
    assert {tag for _, tag in target.storage.tags} == {"two"}


def test_a_blob_check_of_a_cancelled_copy_is_repeated_for_another_copy(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    _, layer = two_tags(source)
    release = threading.Event()

    def wait(handler: object) -> bool:
        release.wait(20)
        return False

    target.on(f"HEAD .*/blobs/{layer}", wait)
    with ThreadPoolExecutor(2) as pool:
        copies = Copies(engine, source, target, pool)
        one, cancel_one = copies.start("one")
        wait_until(lambda: target.count(f"HEAD .*/blobs/{layer}") == 1)
        two, _ = copies.start("two")
        wait_until(lambda: source.count("GET .*/blobs/") == 2)  # each its own configuration

        cancel_one.set()
        with pytest.raises(CopyCancelledError):
            one()
        assert two().target_tag == "two"
        release.set()

    assert source.count(f"GET .*/blobs/{layer}") == 1


def test_a_shared_layer_denied_to_one_copy_does_not_fail_the_other(
    make_engine: MakeEngine, make_registry: MakeRegistry, target: FaultyRegistry
) -> None:
    source = make_registry(Gatekeeper("basic", "mirror", "pass"))
    _, layer = two_tags(source)
    release = threading.Event()
    requested = threading.Event()

    def refuse(handler: object) -> bool:
        requested.set()
        release.wait(10)
        handler.respond_error(403, "DENIED")  # type: ignore[attr-defined]
        return True

    source.on(f"GET .*/blobs/{layer}", refuse)
    with ThreadPoolExecutor(2) as pool:
        copies = Copies(make_engine(), source, target, pool)
        login = access(source.host, Credential("mirror", "pass"))
        one, _ = copies.start("one", source_access=login)
        assert requested.wait(5)
        two, _ = copies.start("two", source_access=login)
        wait_until(lambda: target.count("PUT .*/blobs/") >= 1 and source.count("GET .*/manifests/two") >= 1)
        wait_until(lambda: target.count("HEAD .*/blobs/") >= 3)
        release.set()

        with pytest.raises(RegistryError):
            one()
        assert two().target_tag == "two"


def test_a_cancelled_copy_stops_during_a_blob_transfer(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image(platforms=("linux/amd64",), layers=1, layer_bytes=100_000)
    image.load(source.storage, "app", "1.0")
    source.on("GET .*/blobs/", trickle(1000, 0.01), times=9)
    cancel = threading.Event()
    engine = make_engine()
    with ThreadPoolExecutor(1) as pool:
        copying = pool.submit(engine.copy, request(ref(source), ref(target)), cancelled=cancel.is_set)
        wait_until(lambda: target.count("PUT .*/blobs/") >= 1)
        started = time.monotonic()
        cancel.set()
        with pytest.raises(CopyCancelledError):
            copying.result(10)

    assert time.monotonic() - started < 3
    assert target.storage.tags == {}
    wait_until(lambda: target.storage.uploads == {})


def test_a_copy_is_cancelled_while_a_registry_does_not_respond(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")
    source.on("GET .*/manifests/1.0", hang, times=9)
    cancel = threading.Event()
    engine = make_engine(stall_timeout=30, reply_timeout=30)
    with ThreadPoolExecutor(1) as pool:
        copying = pool.submit(engine.copy, request(ref(source), ref(target)), cancelled=cancel.is_set)
        wait_until(lambda: source.count("GET .*/manifests/1.0") == 1)
        cancel.set()
        with pytest.raises(CopyCancelledError):
            copying.result(5)


def test_closing_the_engine_ends_threads_that_wait_for_data(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    source.on("GET .*/blobs/", held(source.closing), times=99)
    engine = make_engine(stall_timeout=30)
    before = set(threading.enumerate())
    with ThreadPoolExecutor(1) as pool:
        copying = pool.submit(engine.copy, request(ref(source), ref(target)))
        wait_until(lambda: source.count("GET .*/blobs/") == len(image.blobs))
        engine.close()
        with pytest.raises(CopyCancelledError):
            copying.result(5)

    blob_threads = {t for t in threading.enumerate() if t.name.startswith(("oci-blob", "oci-small-blob"))} - before
    wait_until(lambda: not any(thread.is_alive() for thread in blob_threads))


def test_closing_the_engine_cancels_its_copies(engine: Engine, source: FaultyRegistry, target: FaultyRegistry) -> None:
    sample_image().load(source.storage, "app", "1.0")
    release = threading.Event()
    source.on("GET .*/blobs/", held(release), times=99)
    with ThreadPoolExecutor(1) as pool:
        copying = pool.submit(engine.copy, request(ref(source), ref(target)))
        wait_until(lambda: source.count("GET .*/blobs/") >= 1)
        engine.close()
        with pytest.raises(CopyCancelledError):
            copying.result(10)
        release.set()


def test_progress_is_reported_at_most_twice_a_second(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    image = sample_image(platforms=("linux/amd64",), layers=1, layer_bytes=100_000)
    image.load(source.storage, "app", "1.0")
    source.on("GET .*/blobs/", trickle(60, 0.02), times=9)
    reports: list[tuple[float, Progress]] = []

    engine.copy(request(ref(source), ref(target)), progress=lambda p: reports.append((time.monotonic(), p)))

    gaps = [after[0] - before[0] for before, after in zip(reports[:-1], reports[1:-1], strict=False)]
    assert len(reports) >= 2
    assert all(gap >= 0.5 for gap in gaps)
    assert 0 < reports[0][1].bytes_copied < image.blob_bytes


def test_concurrent_copies_of_many_images_all_succeed(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    images = [sample_image(seed=seed, layer_bytes=20_000) for seed in range(12)]
    for seed, image in enumerate(images):
        image.load(source.storage, f"app{seed}", "1.0")

    def mirror(seed: int) -> CopyResult:
        return engine.copy(request(ref(source, f"app{seed}:1.0"), ref(target, f"app{seed}:1.0")))

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(mirror, range(12)))

    assert [result.target_digest for result in results] == [image.root for image in images]
