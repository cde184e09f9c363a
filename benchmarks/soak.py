"""``make soak``: checks that the webhook's memory stays flat over 500,000 reviews with 50,000 distinct images."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import urllib3

from benchmarks.admission import prepare, start
from benchmarks.servers import Server
from tests.support.system import pod_of, review_of

CLIENTS = 4
STEPS = 20
FLAT = 1.10
"""The maximum ratio of resident memory in the last fifth to that in the second: the first one fills the caches."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reviews", type=int, default=500_000)
    parser.add_argument("--images", type=int, default=50_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="swapper-soak-") as name:
        directory = Path(name)
        images = [f"quay.io/soak/image-{number}:1" for number in range(options.images)]
        environment = prepare(directory, mirrored=images, logLevel="error")
        with start("ours", directory, environment, None) as server:
            seen = soak(server, images, reviews=options.reviews)
    early, late = max(seen[STEPS // 5 : 2 * STEPS // 5]), max(seen[-STEPS // 5 :])
    print(
        f"resident memory: {early:.0f} MiB in the second fifth, {late:.0f} MiB in the last ({late / early:.2f} times)"
    )
    return 0 if late / early <= FLAT else 1


def soak(server: Server, images: Sequence[str], *, reviews: int) -> list[float]:
    """Send the reviews. Return the resident memory (MiB) after each step. Four of five reviews are about a tenth of the
    images, because most pods use few images."""
    pool = urllib3.PoolManager(maxsize=CLIENTS)
    popular = len(images) // 10
    kept: list[int] = []

    def ask(number: int) -> None:
        # Fixed strides, so that each image is used, and none is used twice in a row.
        index = number * 7_919 % popular if number % 5 else number // 5 * 7_919 % len(images)
        body = json.dumps(review_of(pod_of(images[index]), namespace=f"team-{number % 500}")).encode()
        response = pool.request("POST", server.url, body=body, retries=False, timeout=30)
        assert response.status == 200, response.data
        if b"patch" not in response.data:
            kept.append(number)

    seen = []
    started = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as clients:
        for step in range(STEPS):
            size = reviews // STEPS
            list(clients.map(ask, range(step * size, (step + 1) * size), chunksize=1))
            seen.append(server.resident_mib())
            seconds = time.monotonic() - started
            print(f"{(step + 1) * size:>8} reviews  {seen[-1]:6.1f} MiB  {seconds:6.0f} s", flush=True)
    print(f"{len(kept)} of {reviews} reviews were kept")
    return seen


if __name__ == "__main__":
    sys.exit(main())
