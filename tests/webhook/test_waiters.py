"""Reviews that wait for copies of a stuck worker take half of the threads. All others are answered immediately."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mirrors.demo.images import sample_image
from mirrors.demo.registry import MemoryRegistry
from tests.support.faulty_registry import FaultyRegistry, hang
from tests.support.ports import wait_until
from tests.support.system import POOL, pod_of
from tests.webhook.mirrored import known_pods, load_source, mirrored_webhook

PLACES = 16
DEADLINE = 6


@pytest.fixture
def source() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as registry:
        load_source(registry)
        for number in range(2 * PLACES):
            sample_image(seed=100 + number, layers=1, layer_bytes=100).load(
                registry.storage, f"team/slow-{number}", "1.0"
            )
        yield registry


def test_waiting_reviews_leave_threads_for_other_requests(
    source: FaultyRegistry, target: MemoryRegistry, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/swapper.sqlite3"
    keys: dict[str, Any] = {"imageCopyPolicy": "immediate", "imageCopyDeadline": f"{DEADLINE}s"}
    with mirrored_webhook(url, tmp_path, source, target, **keys) as webhook:
        worker = webhook.worker()
        worker.start()
        # The worker hangs during its copies.
        source.on("GET .*/blobs/", hang, times=float("inf"))
        images = [f"{source.host}/team/slow-{number}:1.0" for number in range(2 * PLACES)]
        try:
            with known_pods(webhook, source) as load, ThreadPoolExecutor(2 * PLACES) as pool:
                waiting = [pool.submit(webhook.admit, pod_of(image)) for image in images[:PLACES]]
                wait_until(lambda: webhook.metrics()["swapper_waiters"] == PLACES, what="all places taken")
                before = load.answers
                started = time.monotonic()
                busy = [webhook.reasons(webhook.admit(pod_of(image))) for image in images[PLACES:]]
                for path in ("/livez", "/readyz", "/metrics"):
                    assert POOL.request("GET", webhook.url + path, retries=False, timeout=2).status == 200
                wait_until(lambda: load.answers > before, timeout=DEADLINE, what="an answer to a known pod meanwhile")
                assert webhook.metrics()["swapper_waiters"] == PLACES, "they wait still"
                assert time.monotonic() - started < DEADLINE
                assert busy == [["busy"]] * PLACES
                responses = [future.result() for future in waiting]
            assert Counter(webhook.reasons(response)[0] for response in responses) == {"absent": PLACES}
            assert webhook.metrics()["swapper_waiters"] == 0
        finally:
            source.heal()
            source.closing.set()
            worker.stop()
