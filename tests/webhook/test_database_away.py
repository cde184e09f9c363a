"""The database goes away and comes back: known images go on being swapped, others are asked for at the target."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mirrors.demo.images import sample_image
from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import query
from tests.support.ports import free_port, wait_until
from tests.support.postgres import PostgresServer
from tests.support.system import Webhook, pod_of, run_manage, write_config

BUDGET = 2.0


@pytest.fixture(scope="module")
def source() -> Iterator[MemoryRegistry]:
    with MemoryRegistry() as registry:
        for name in ("known", "unseen", "new"):
            sample_image(layers=1, layer_bytes=100).load(registry.storage, f"team/{name}", "1.0")
        yield registry


@contextmanager
def mirrored_webhook(url: str, directory: Path, source: MemoryRegistry, target: MemoryRegistry) -> Iterator[Webhook]:
    """A webhook that has seen ``team/known`` swapped; ``team/unseen`` is mirrored, but was not asked for yet."""
    registries = [{"type": "oci", "host": source.host, "insecure": True}]
    config = write_config(directory / "config.yaml", target=target.host, source={"registries": registries})
    webhook = Webhook(config, url, directory)
    webhook.prepare()
    images = [f"{source.host}/team/{name}:1.0" for name in ("known", "unseen")]
    run_manage("mirror", *images, environment=webhook.environment)
    webhook.start()
    try:
        assert reason(webhook, source, "known") == "present"
        yield webhook
    finally:
        webhook.stop()


def reason(webhook: Webhook, source: MemoryRegistry, name: str) -> str:
    """Why an image was kept or swapped; every answer is inside its budget."""
    started = time.monotonic()
    answer = webhook.admit(pod_of(f"{source.host}/team/{name}:1.0"))
    assert time.monotonic() - started < BUDGET + 0.5
    assert answer.allowed
    return webhook.reasons(answer)[0]


def assert_goes_on_without_database(webhook: Webhook, source: MemoryRegistry) -> None:
    for _ in range(8):
        assert reason(webhook, source, "known") == "present"
        time.sleep(0.5)  # a steady load for longer than tries to reconnect are apart
    assert reason(webhook, source, "unseen") == "present"
    assert reason(webhook, source, "new") == "absent"


def assert_works_again(webhook: Webhook, source: MemoryRegistry) -> None:
    def is_ordered() -> bool:
        reason(webhook, source, "new")
        sql = "SELECT 1 FROM mirrors_imagemapping WHERE source LIKE '%team/new:1.0' AND last_job_id IS NOT NULL"
        return bool(query(webhook.database_url, sql))

    wait_until(is_ordered, timeout=30, what="an order after the database came back")


def test_postgres_is_stopped_and_started(
    source: MemoryRegistry, target: MemoryRegistry, tmp_path: Path, postgres: PostgresServer
) -> None:
    with mirrored_webhook(f"{postgres.url}/postgres", tmp_path, source, target) as webhook:
        postgres.stop()
        assert_goes_on_without_database(webhook, source)
        postgres.start()
        assert_works_again(webhook, source)


def test_sqlite_is_locked_and_released(source: MemoryRegistry, target: MemoryRegistry, tmp_path: Path) -> None:
    file = tmp_path / "swapper.sqlite3"
    with mirrored_webhook(f"sqlite:///{file}", tmp_path, source, target) as webhook:
        with exclusively_locked(file):
            assert_goes_on_without_database(webhook, source)
        assert_works_again(webhook, source)


def test_a_webhook_starts_without_its_database(source: MemoryRegistry, target: MemoryRegistry, tmp_path: Path) -> None:
    sample_image(layers=1, layer_bytes=100).load(target.storage, f"{source.host.replace(':', '_')}/team/unseen", "1.0")
    registries = [{"type": "oci", "host": source.host, "insecure": True}]
    config = write_config(tmp_path / "config.yaml", target=target.host, source={"registries": registries})
    webhook = Webhook(config, f"postgres://nobody@127.0.0.1:{free_port()}/none", tmp_path)
    webhook.start()
    try:
        assert reason(webhook, source, "unseen") == "present"
        assert reason(webhook, source, "new") == "absent"
    finally:
        webhook.stop()


@contextmanager
def exclusively_locked(file: Path) -> Iterator[None]:
    """Nobody else can write meanwhile; readers of a write-ahead log can."""
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        connection.close()
