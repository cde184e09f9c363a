"""A webhook with three images: one that it has cached, one that is mirrored but was not requested yet, and a new
one."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mirrors.demo.images import sample_image
from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import query
from tests.support.migrating import migrated_sqlite
from tests.support.ports import wait_until
from tests.support.steady_load import BUDGET, SLACK, SteadyLoad
from tests.support.system import Answer, Webhook, pod_of, run_manage, write_config

NAMES = ("known", "unseen", "new")
IMPATIENT = {"DJANGO_SETTINGS_MODULE": "tests.webhook.impatient_settings"}


def load_source(registry: MemoryRegistry) -> None:
    for name in NAMES:
        sample_image(layers=1, layer_bytes=100).load(registry.storage, f"team/{name}", "1.0")


@contextmanager
def embedded_webhook(directory: Path, source: MemoryRegistry, target: MemoryRegistry, **keys: Any) -> Iterator[Webhook]:
    """Run a mirrored webhook with its own SQLite database."""
    with mirrored_webhook(f"sqlite:///{directory}/swapper.sqlite3", directory, source, target, **keys) as webhook:
        yield webhook


@contextmanager
def mirrored_webhook(
    url: str,
    directory: Path,
    source: MemoryRegistry,
    target: MemoryRegistry,
    *,
    setup_url: str = "",
    extra: Mapping[str, str] | None = None,
    **keys: Any,
) -> Iterator[Webhook]:
    """Run a webhook that has swapped ``team/known``. ``setup_url`` is the database's URL without a proxy in front."""
    registries = [{"type": "oci", "host": source.host, "insecure": True}]
    config = write_config(directory / "config.yaml", target=target.host, source={"registries": registries}, **keys)
    webhook = Webhook(config, url, directory, {**IMPATIENT, **(extra or {})})
    if url.startswith("sqlite"):
        shutil.copy(migrated_sqlite(), url.removeprefix("sqlite:///"))
    setup = {**webhook.environment, "SWAPPER_DATABASE_URL": setup_url or url}
    run_manage("prepare", environment=setup)
    run_manage("mirror", *(image(source, name) for name in ("known", "unseen")), environment=setup)
    webhook.start()
    try:
        assert reason(webhook, source, "known") in {"present", "present-stale"}
        yield webhook
    finally:
        webhook.stop()


def image(source: MemoryRegistry, name: str) -> str:
    return f"{source.host}/team/{name}:1.0"


def mirror_of(source: MemoryRegistry) -> str:
    """Return the first part of the names of a source's repositories at the target."""
    return source.host.replace(":", "_")


def known_pods(webhook: Webhook, source: MemoryRegistry, **options: Any) -> SteadyLoad:
    return SteadyLoad(webhook, image(source, "known"), **options)


def admit_in_time(webhook: Webhook, source: MemoryRegistry, name: str, *, budget: float = BUDGET) -> Answer:
    """Return a response that allows the pod, within its time budget."""
    started = time.monotonic()
    response = webhook.admit(pod_of(image(source, name)))
    assert time.monotonic() - started < budget + SLACK
    assert response.allowed
    return response


def reason(webhook: Webhook, source: MemoryRegistry, name: str) -> str:
    """Return why an image was kept or swapped, with a response within its time budget."""
    return webhook.reasons(admit_in_time(webhook, source, name))[0]


def wait_until_new_is_ordered(webhook: Webhook, source: MemoryRegistry, *, database_url: str = "") -> None:
    """Wait until the database accepts requests for copies again."""

    def is_ordered() -> bool:
        reason(webhook, source, "new")
        sql = "SELECT 1 FROM mirrors_imagemapping WHERE source LIKE '%team/new:1.0' AND last_job_id IS NOT NULL"
        return bool(query(database_url or webhook.database_url, sql))

    wait_until(is_ordered, timeout=60, what="an order after the database came back")


@contextmanager
def exclusively_locked(file: Path) -> Iterator[None]:
    """Prevent other connections from writing within the block. Readers of a write-ahead log can continue."""
    connection = sqlite3.connect(file, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
        yield
    finally:
        connection.close()
