"""Bursts: thousands of stale images, a pod of thousands of new ones, and reviews that queue for a thread."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import DatabaseTemplate, query
from tests.support.faulty_registry import FaultyRegistry, hang
from tests.support.ports import wait_until
from tests.support.postgres import PostgresServer
from tests.support.system import Webhook, pod_of, review_of, running_webhook
from tests.webhook.mirrored import (
    embedded_webhook,
    image,
    known_pods,
    mirrored_webhook,
    reason,
    wait_until_new_is_ordered,
)
from webhook.database.query_watchdog import CONNECTION_CLOSED

STALE = 2_000
FILL = """
INSERT INTO mirrors_imagemapping (source, target, source_digest, target_digest, platforms, existence, access, paused,
    target_registry_id, verified_at, last_seen_at, changed_at, created_at)
SELECT 'SOURCE/many/app-' || n || ':1', 'TARGET/many/app-' || n || ':1', '', '', '[]', 'present', 'anonymous', false,
    r.id, now() - interval '2 hours', now(), now() - interval '1 day', now()
FROM generate_series(1, STALE) AS n, mirrors_registry AS r WHERE r.role = 'target'
"""


def test_thousands_of_stale_images_do_not_block_the_database(
    postgres: PostgresServer, source: MemoryRegistry, target: MemoryRegistry, tmp_path: Path
) -> None:
    """All images are checked again at the same time, and all results are written."""
    url = f"{postgres.url}/postgres"
    quotas = {"newImagesPerHour": 10_000, "pendingJobs": 10_000}
    with mirrored_webhook(url, tmp_path, source, target, existence={"maxAge": "1h"}, quotas=quotas) as webhook:
        query(url, FILL.replace("SOURCE", source.host).replace("TARGET", target.host).replace("STALE", str(STALE)))
        images = [f"{source.host}/many/app-{number}:1" for number in range(1, STALE + 1)]

        def admit(part: list[str]) -> int:
            return webhook.post(json.dumps(review_of(pod_of(*part))).encode()).status

        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(admit, [images[at : at + 50] for at in range(0, STALE, 50)])) == {200}
        started = time.monotonic()
        wait_until_new_is_ordered(webhook, source)
        assert time.monotonic() - started < 30
        written = "SELECT count(*) FROM mirrors_imagemapping WHERE source LIKE '%/many/%' AND existence = 'absent'"
        # Only some hundreds are checked at a time. The others are checked with the next pod.
        wait_until(lambda: query(url, written)[0][0] >= 400, timeout=60, what="the target's answers")
        assert CONNECTION_CLOSED not in {line["message"] for line in webhook.log_lines()}


def test_a_pod_with_thousands_of_new_images_does_not_delay_others(
    source: MemoryRegistry, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    def slow(handler: object) -> bool:
        time.sleep(0.05)
        return False

    faulty.on("HEAD ", slow, times=float("inf"))
    with embedded_webhook(tmp_path, source, faulty) as webhook, known_pods(webhook, source):
        before = faulty.count("HEAD .*/flood/")
        pod = pod_of(*(f"{source.host}/flood/app-{number}:1" for number in range(5_000)))
        with ThreadPoolExecutor(1) as pool:
            flood = pool.submit(webhook.admit, pod, namespace="greedy")
            flood.result(30)
        assert reason(webhook, source, "new") == "absent"
        assert faulty.count("HEAD .*/flood/") - before <= 100
        ordered = query(webhook.database_url, "SELECT count(*) FROM mirrors_mirrorjob WHERE namespace = 'greedy'")
        assert ordered[0][0] <= 200


def test_review_duration_includes_the_wait_for_a_thread(
    source: MemoryRegistry, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    """A small review takes a few milliseconds once it has a thread. In this test, all reviews share one thread, and
    others occupy it while they wait for the target."""
    with embedded_webhook(tmp_path, source, faulty, extra={"GUNICORN_CMD_ARGS": "--threads=1"}) as webhook:
        faulty.on("HEAD .*/slow-", hang, times=float("inf"))
        enough = threading.Event()

        def post_on(client: int) -> set[int]:
            answered: set[int] = set()
            names = (f"slow-{client}-{number}" for number in count())
            while not enough.is_set() or not answered:
                body = json.dumps(review_of(pod_of(image(source, next(names)))))
                answered.add(webhook.post(body.encode()).status)
            return answered

        with ThreadPoolExecutor(8) as pool:
            posted = [pool.submit(post_on, client) for client in range(8)]
            try:
                wait_until(lambda: _seconds_of_a_small_one(webhook, source) > 0.5, what="one that waited")
            finally:
                enough.set()
            assert set().union(*(done.result() for done in posted)) == {200}


def _seconds_of_a_small_one(webhook: Webhook, source: MemoryRegistry) -> float:
    uid = webhook.admit(pod_of(image(source, "known"))).response["uid"]
    (line,) = [line for line in webhook.log_lines() if line.get("uid") == uid and line["message"] == "Admitted"]
    seconds: float = line["milliseconds"] / 1000
    return seconds


def test_images_over_quota_are_not_swapped_with_policy_always(
    database_template: DatabaseTemplate, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    keys: dict[str, Any] = {"quotas": {"newImagesPerHour": 2}, "imageSwapPolicy": "always"}
    with running_webhook(tmp_path, database_template, target=faulty.host, **keys) as webhook:
        reasons = []
        for number in range(6):
            response = webhook.admit(pod_of(f"registry.example.com/app-{number}:1"), namespace="greedy")
            reasons += webhook.reasons(response)
        assert reasons == ["policy-always"] * 2 + ["quota"] * 4


def test_a_mirrored_image_is_never_over_quota(source: MemoryRegistry, faulty: FaultyRegistry, tmp_path: Path) -> None:
    """Even if the target's last response is too old to count."""
    keys = {"quotas": {"newImagesPerHour": 1}, "existence": {"maxAge": "1s", "maxStale": "1s"}}
    with embedded_webhook(tmp_path, source, faulty, **keys) as webhook:

        def ask(name: str) -> str:
            return webhook.reasons(webhook.admit(pod_of(name), namespace="greedy"))[0]

        wait_until(lambda: ask(f"{source.host}/greedy/app-{time.monotonic_ns()}:1") == "quota", what="a refusal")
        time_out = time.monotonic() + 3
        while time.monotonic() < time_out:
            assert ask(image(source, "known")) in {"present", "present-stale"}
