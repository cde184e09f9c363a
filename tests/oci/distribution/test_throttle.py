"""Responses with 429: how long all requests wait, and how many are sent at a time."""

from __future__ import annotations

import email.utils
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from mirrors.demo.images import sample_image
from mirrors.oci import Engine, RegistryError
from mirrors.oci.common.engine_settings import MAX_SHORT_TARGET_REQUESTS
from mirrors.oci.distribution.budgets import RequestBudgets
from tests.oci.conftest import MakeEngine, access, copy, ref, request, under_way
from tests.support.faulty_registry import FaultyRegistry, counted, hang_up, held, reply
from tests.support.ports import wait_until


@pytest.mark.parametrize("status", [408, 429, 499, 500, 502, 503, 504, 522])
def test_transient_statuses_are_retried(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, status: int
) -> None:
    image = sample_image()
    image.load(source.storage, "app", "1.0")
    for side, method in ((source, "HEAD"), (source, "GET .*/blobs"), (target, "POST"), (target, "PUT .*/manifests")):
        side.on(f"{method}.*", reply(status))
    target.on("PUT .*/blobs", reply(status))

    copy(engine, source, target)

    assert target.storage.tags["app", "1.0"] == image.root


@pytest.mark.parametrize(("status", "code"), [(400, "invalid"), (403, "denied"), (404, "not-found")])
def test_permanent_errors_are_not_retried(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry, status: int, code: str
) -> None:
    sample_image().load(source.storage, "app", "1.0")
    source.on("GET .*/manifests/1.0", reply(status), times=99)

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert (caught.value.code, caught.value.permanent) == (code, True)
    assert source.count("GET .*/manifests/1.0") == 1


def test_a_blob_whose_digest_the_target_rejects_is_not_sent_again(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image(platforms=("linux/amd64",), layers=1).load(source.storage, "app", "1.0")
    target.on("PUT .*/blobs", reply(400, b'{"errors":[{"code":"DIGEST_INVALID"}]}'), times=99)

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert (caught.value.code, caught.value.permanent) == ("bad-digest", True)
    paths = [requested.path.rpartition("digest=")[2] for requested in target.found("PUT .*/blobs")]
    assert len(paths) == len(set(paths))


def test_requests_on_dropped_connections_are_retried(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")
    for registry in (source, target):
        for method in ("HEAD", "GET", "POST", "PUT"):
            registry.on(f"{method} .*", hang_up)

    assert copy(engine, source, target).bytes_copied


@pytest.mark.parametrize("style", ["seconds", "date"])
def test_the_retry_after_of_a_registry_delays_all_requests_to_it(
    make_engine: MakeEngine, source: FaultyRegistry, style: str
) -> None:
    budgets = RequestBudgets()
    engine = make_engine(budgets=budgets)
    sample_image().load(source.storage, "app", "1.0")
    asked_for = "1" if style == "seconds" else email.utils.formatdate(time.time() + 2, usegmt=True)
    source.on("HEAD .*", reply(429, Retry_After=asked_for))
    times: list[float] = []

    def look(_: int) -> None:
        assert engine.head(ref(source), access(source.host)) is not None
        times.append(time.monotonic())

    started = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(look, 0)
        wait_until(budgets.pop_pauses, what="the engine to hear of the wait")
        second = pool.submit(look, 1)
        first.result()
        second.result()

    assert min(times) - started >= 0.9
    assert source.count("HEAD ") == 3


def test_requests_are_retried_after_a_past_invalid_or_missing_retry_after(
    engine: Engine, source: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")
    source.on("HEAD .*", reply(429, Retry_After="Thu, 01 Jan 1970 00:00:00 GMT"))
    source.on("HEAD .*", reply(429, Retry_After="soon"))
    source.on("HEAD .*", reply(429))

    assert engine.head(ref(source), access(source.host)) is not None


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("wait", ["0", "Thu, 01 Jan 1970 00:00:00 GMT"])
def test_a_retry_after_of_zero_or_in_the_past_uses_the_engine_backoff(
    make_engine: MakeEngine, source: FaultyRegistry, status: int, wait: str
) -> None:
    sample_image().load(source.storage, "app", "1.0")
    source.on("HEAD .*", reply(status, Retry_After=wait), times=3)
    started = time.monotonic()

    assert make_engine(backoff_base=0.2, backoff_cap=0.2).head(ref(source), access(source.host)) is not None

    assert time.monotonic() - started >= 3 * 0.1


def test_a_long_retry_after_is_raised_to_the_caller(engine: Engine, source: FaultyRegistry) -> None:
    sample_image().load(source.storage, "app", "1.0")
    source.on("HEAD .*", reply(503, Retry_After="3600"))

    for _ in range(2):
        with pytest.raises(RegistryError) as caught:
            engine.head(ref(source), access(source.host))
        assert not caught.value.permanent
        assert caught.value.retry_after == pytest.approx(3600, abs=5)

    assert source.count("HEAD ") == 1, "a rate-limited host was asked"


def test_a_long_retry_after_ends_a_copy_with_a_rate_limited_error(
    engine: Engine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image().load(source.storage, "app", "1.0")
    target.on("PUT .*/blobs", reply(429, Retry_After="3600"))

    with pytest.raises(RegistryError) as caught:
        copy(engine, source, target)

    assert caught.value.code == "rate-limited"
    assert caught.value.retry_after == pytest.approx(3600, abs=5)


def test_concurrent_requests_to_a_source_are_limited(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image(layers=12, layer_bytes=100).load(source.storage, "app", "1.0")
    source.on(".*", counted, times=9999)

    copy(make_engine(requests_per_host=4), source, target)

    assert 1 < source.in_flight.most <= 4


def test_concurrent_requests_to_a_target_are_limited_by_the_blob_threads(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image(layers=40, layer_bytes=100).load(source.storage, "app", "1.0")
    target.on(".*", counted, times=9999)

    copy(make_engine(blobs=6, requests_per_host=8), source, target)

    assert 1 < target.in_flight.most <= 6 + MAX_SHORT_TARGET_REQUESTS


def test_a_head_is_sent_while_blobs_use_all_their_request_slots(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry
) -> None:
    sample_image(layers=12, layer_bytes=100).load(source.storage, "app", "1.0")
    release = threading.Event()
    source.on("GET .*/blobs/", held(release), times=99)
    engine = make_engine(requests_per_host=4)
    with under_way(release, lambda: copy(engine, source, target)) as copying:
        wait_until(lambda: source.count("GET .*/blobs/") == 3)

        assert engine.head(ref(source), access(source.host), timeout=1) is not None

        assert source.count("GET .*/blobs/") == 3

    copying.result()


@pytest.mark.parametrize("limit", [1, 2])
def test_copies_in_opposite_directions_do_not_block_each_other(
    make_engine: MakeEngine, source: FaultyRegistry, target: FaultyRegistry, limit: int
) -> None:
    engine = make_engine(requests_per_host=limit)
    sample_image(seed=1, layer_bytes=1000).load(source.storage, "there", "1.0")
    sample_image(seed=2, layer_bytes=1000).load(target.storage, "back", "1.0")
    with ThreadPoolExecutor(2) as pool:
        there = pool.submit(engine.copy, request(ref(source, "there:1.0"), ref(target, "there:1.0")))
        back = pool.submit(engine.copy, request(ref(target, "back:1.0"), ref(source, "back:1.0")))

        assert there.result(20).bytes_copied == back.result(20).bytes_copied > 0


def test_a_copy_within_one_registry_works_with_a_single_slot(make_engine: MakeEngine, source: FaultyRegistry) -> None:
    sample_image(layer_bytes=1000).load(source.storage, "app", "1.0")
    source.on("POST .*mount=", reply(405), times=99)

    result = make_engine(requests_per_host=1).copy(request(ref(source), ref(source, "other:1.0")))

    assert result.bytes_copied == result.bytes_total


def test_requests_per_second_are_limited(make_engine: MakeEngine, source: FaultyRegistry) -> None:
    engine = make_engine(requests_per_second=20)
    sample_image().load(source.storage, "app", "1.0")
    started = time.monotonic()

    for _ in range(5):
        engine.head(ref(source), access(source.host))

    assert time.monotonic() - started >= 4 / 20
