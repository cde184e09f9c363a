"""The images that a webhook has loaded right after its start, and reviews for which no slot to wait is free."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mirrors.demo.images import sample_image
from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import query
from tests.support.faulty_registry import FaultyRegistry, hang
from tests.support.ports import wait_until
from tests.support.postgres import PostgresServer
from tests.support.proxy import Proxy
from tests.support.system import Webhook, pod_of, run_manage, write_config
from tests.webhook.mirrored import load_source, mirrored_webhook

IMAGES = 100
PLACES = 16
FILL = """
INSERT INTO mirrors_imagemapping (source, target, source_digest, target_digest, platforms, existence, access, paused,
    target_registry_id, verified_at, last_seen_at, changed_at, created_at)
SELECT 'registry.example.com/app-' || n || ':1', '{target}/registry.example.com/app-' || n || ':1', '', '', '[]',
    'present', 'anonymous', false, r.id, now(), now() - n * interval '1 minute', now() - interval '1 day', now()
FROM generate_series(1, {images}) AS n, mirrors_registry AS r WHERE r.role = 'target'
"""

ANOTHER = """
INSERT INTO mirrors_imagemapping (source, target, source_digest, target_digest, platforms, existence, access, paused,
    target_registry_id, verified_at, last_seen_at, changed_at, created_at)
SELECT '{host}/team/another:1', '{target}/another:1', '', '', '[]', 'present', 'anonymous', false, r.id,
    datetime('now'), datetime('now'), datetime('now'), datetime('now')
FROM mirrors_registry AS r WHERE r.role = 'target'
"""


def prepared(directory: Path, url: str, target: str, *, images: int, setup_url: str) -> Webhook:
    """Return a webhook that is not started, whose database has this many mirrored images."""
    config = write_config(directory / "config.yaml", target=target)
    webhook = Webhook(config, url, directory)
    run_manage("prepare", environment={**webhook.environment, "SWAPPER_DATABASE_URL": setup_url})
    query(setup_url, FILL.format(target=target, images=images))
    return webhook


def test_known_images_are_in_memory_as_soon_as_the_webhook_is_ready(
    postgres: PostgresServer, target: MemoryRegistry, tmp_path: Path
) -> None:
    """With 20 ms to its database: 500 pods, 100 of them at a time, as soon as the webhook is ready."""
    direct = f"{postgres.url}/postgres"
    with Proxy(postgres.port) as proxy:
        proxy.delay = 0.01
        url = f"postgres://swapper@127.0.0.1:{proxy.port}/postgres"
        webhook = prepared(tmp_path, url, target.host, images=IMAGES, setup_url=direct)
        webhook.start()
        try:
            pods = [pod_of(f"registry.example.com/app-{number % IMAGES + 1}:1") for number in range(500)]
            with ThreadPoolExecutor(100) as pool:
                responses = list(pool.map(webhook.admit, pods))
            assert [a.review["request"]["object"] for a in responses if not a.images] == []
            lookups = [name for name in webhook.metrics() if "lookups" in name and 'source="database"' in name]
            assert lookups == [], "they were in memory"
        finally:
            webhook.stop()


def test_the_newest_images_are_cached_and_older_ones_are_looked_up(
    postgres: PostgresServer, target: MemoryRegistry, tmp_path: Path
) -> None:
    """An image that is not cached costs only a lookup."""
    direct = f"{postgres.url}/postgres"
    webhook = prepared(tmp_path, direct, target.host, images=20_500, setup_url=direct)
    webhook.start()
    try:
        wait_until(lambda: _is_logged(webhook, "The most recent images are loaded"), what="the end of loading")
        newest = webhook.admit(pod_of(*(f"registry.example.com/app-{n}:1" for n in (1, 999, 1_001, 20_000))))
        assert len(newest.images) == 4
        assert _lookups(webhook) == 0
        oldest = webhook.admit(pod_of("registry.example.com/app-20400:1"))
        assert len(oldest.images) == 1
        assert _lookups(webhook) == 1
    finally:
        webhook.stop()


@pytest.mark.parametrize("fault", ["silent", "refused"])
def test_startup_does_not_wait_for_an_unavailable_database(
    postgres: PostgresServer, target: MemoryRegistry, tmp_path: Path, fault: str
) -> None:
    with Proxy(postgres.port) as proxy:
        url = f"postgres://swapper@127.0.0.1:{proxy.port}/postgres"
        webhook = prepared(tmp_path, url, target.host, images=1, setup_url=f"{postgres.url}/postgres")
        proxy.is_silent = True
        if fault == "refused":
            webhook.database_url = "postgres://swapper@127.0.0.1:1/postgres"
        # Returns when the webhook is ready.
        webhook.start()
        webhook.stop()


def _is_logged(webhook: Webhook, message: str) -> bool:
    return any(line["message"] == message for line in webhook.log_lines())


def _lookups(webhook: Webhook) -> float:
    found = webhook.metrics().items()
    return sum(v for name, v in found if name.startswith("swapper_existence_lookups_total") and "database" in name)


@pytest.fixture
def source() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as registry:
        load_source(registry)
        for number in range(PLACES):
            sample_image(seed=100 + number, layers=1, layer_bytes=100).load(
                registry.storage, f"team/slow-{number}", "1.0"
            )
        yield registry


def test_images_are_looked_up_while_all_waiting_slots_are_occupied(
    source: FaultyRegistry, target: MemoryRegistry, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path}/swapper.sqlite3"
    keys: dict[str, Any] = {"imageCopyPolicy": "immediate", "imageCopyDeadline": "9s", "privateImages": "mirror"}
    with mirrored_webhook(url, tmp_path, source, target, **keys) as webhook:
        worker = webhook.worker()
        worker.start()
        source.on("GET .*/blobs/", hang, times=float("inf"))
        slow = [pod_of(f"{source.host}/team/slow-{number}:1.0") for number in range(PLACES)]
        try:
            with ThreadPoolExecutor(PLACES) as pool:
                waiting = [pool.submit(webhook.admit, pod) for pod in slow]
                wait_until(lambda: webhook.metrics()["swapper_waiters"] == PLACES, what="all places taken")
                # Another process has mirrored this image in the meantime: it is in the database but not cached.
                query(url, ANOTHER.format(host=source.host, target=target.host))
                assert "present" in _reasons_until_present(webhook, f"{source.host}/team/another:1")
                # Another client has pushed this image: only the target has it.
                name = f"{source.host.replace(':', '_')}/team/found"
                sample_image(layers=1, layer_bytes=100).load(target.storage, name, "1.0")
                learned = _reasons_until_present(webhook, f"{source.host}/team/found:1.0")
                assert learned[0] == "busy"
                assert webhook.metrics()["swapper_waiters"] == PLACES, "they wait still"
                for future in waiting:
                    future.result()
        finally:
            source.heal()
            source.closing.set()
            worker.stop()


def _reasons_until_present(webhook: Webhook, image: str) -> list[str]:
    reasons: list[str] = []

    def is_present() -> bool:
        reasons.extend(webhook.reasons(webhook.admit(pod_of(image))))
        return reasons[-1] == "present"

    wait_until(is_present, what="a mirror that is known")
    return reasons
