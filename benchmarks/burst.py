"""``make bench-burst``: the response times for pods with known images while a thousand new images and a thousand pods
with the same missing image arrive."""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import quantiles

import urllib3

from benchmarks.admission import prepare, start
from benchmarks.reviews import review
from benchmarks.servers import Server
from tests.support.faulty_registry import FaultyRegistry
from tests.support.system import pod_of, review_of

IMAGES = 1_000
CLIENTS = 16


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="swapper-bench-") as name, FaultyRegistry() as target:
        directory = Path(name)
        environment = prepare(
            directory, target=target.host, quotas={"newImagesPerHour": 10 * IMAGES, "pendingJobs": 10 * IMAGES}
        )
        with start("ours", directory, environment, None) as server:
            idle = known_pods(server, threading.Event(), seconds=10)
            busy, _, _ = beside(server, [review(1)] * 2 * IMAGES)
            heads = len(target.requests)
            bodies = [body_of("quay.io/burst/missing:1")] * IMAGES
            bodies += [body_of(f"quay.io/burst/image-{number}:1") for number in range(IMAGES)]
            met, statuses, seconds = beside(server, bodies)
            paths = [requested.path for requested in target.requests[heads:]]
    missing = sum("/burst/missing/" in path for path in paths)
    print(f"{2 * IMAGES} reviews in {seconds:.1f} s, answers {statuses}")
    print(f"HEAD requests: {missing} for the one missing image, {len(paths) - missing} for {IMAGES} images")
    print(f"known pods, p99 on an idle server: {p99(idle):.1f} ms")
    print(f"beside {CLIENTS} clients with known pods: {p99(busy):.1f} ms")
    print(f"beside {CLIENTS} clients with new images: {p99(met):.1f} ms ({p99(met) / p99(busy):.2f} times)")
    return 0


def beside(server: Server, bodies: list[bytes]) -> tuple[list[float], set[int], float]:
    """Post these bodies with many clients. Return the response times (ms) for known pods in the meantime, the statuses
    of the posts, and the seconds that they took."""
    over = threading.Event()
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        known = pool.submit(known_pods, server, over, seconds=600)
        started = time.monotonic()
        statuses = set(pool.map(lambda body: post(server, body), bodies))
        seconds = time.monotonic() - started
        over.set()
        return known.result(), statuses, seconds


def body_of(image: str) -> bytes:
    return json.dumps(review_of(pod_of(image))).encode()


POOL = urllib3.PoolManager(maxsize=CLIENTS)


def post(server: Server, body: bytes) -> int:
    return POOL.request("POST", server.url, body=body, retries=False, timeout=30).status


def known_pods(server: Server, over: threading.Event, *, seconds: float) -> list[float]:
    """Return the response times (ms) for one client that sends twenty requests a second."""
    pool, body, duration = urllib3.PoolManager(), review(5), []
    until = time.monotonic() + seconds
    while time.monotonic() < until and not over.wait(0.05):
        started = time.perf_counter()
        response = pool.request("POST", server.url, body=body, retries=False, timeout=30)
        duration.append((time.perf_counter() - started) * 1_000)
        assert b"patch" in response.data
    return duration


def p99(numbers: list[float]) -> float:
    return quantiles(numbers, n=100)[98]


if __name__ == "__main__":
    sys.exit(main())
