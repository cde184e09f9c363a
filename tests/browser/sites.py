"""The sites that the browser opens: the whole running system, and a realistic installation without activity."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
import urllib3

from tests.jobs.processes import FAST
from tests.support.faulty_registry import FaultyRegistry
from tests.support.ports import free_port, wait_until
from tests.support.postgres import PostgresServer
from tests.support.registries import USERNAME, Registry, distribution
from tests.support.system import POOL, Process, Webhook, run_manage, web_process, write_config

WORKER: Final = {"DJANGO_SETTINGS_MODULE": "tests.jobs.worker_settings", "TEST_JOB_TIMING": json.dumps(FAST)}
"""The product's settings with shorter times."""

PRIVATE_PASSWORD: Final = "private-registry"
"""The name of the password's file in the credentials directory."""


@dataclass(frozen=True)
class Site:
    """The admin and API of an installation at ``url``."""

    url: str
    server: PostgresServer
    webhook: Webhook

    def is_ready(self) -> bool:
        return _is_ready(self.url)


@dataclass(frozen=True)
class System(Site):
    """A system in which all processes run. ``source`` injects faults, ``private`` and ``target`` are real
    registries."""

    source: FaultyRegistry
    private: Registry
    target: Registry

    @property
    def private_password(self) -> Path:
        return self.webhook.directory / "credentials" / PRIVATE_PASSWORD

    def order(self, *images: str) -> None:
        """Queue copies of images without waiting for them."""
        run_manage("mirror", "--queue", *images, environment=self.webhook.environment)


@contextmanager
def seeded_site(server: PostgresServer, directory: Path) -> Iterator[Site]:
    """Run a site with 500 images and their history, without activity. See ``tests.support.operators_data``."""
    webhook = _installed(server, directory, target="mirror.example.com")
    _shell(webhook, "from tests.support.operators_data import seed; seed()")
    with _web(webhook) as url:
        yield Site(url, server, webhook)


@contextmanager
def running_system(server: PostgresServer, directory: Path) -> Iterator[System]:
    """Run webhook, web and worker, with three registries, on an empty database."""
    with ExitStack() as stack:
        source = stack.enter_context(FaultyRegistry())
        private = stack.enter_context(distribution(directory / "private", htpasswd=True))
        target = stack.enter_context(distribution(directory / "target"))
        entries = [
            {"type": "oci", "host": source.host, "insecure": True},
            {
                "type": "oci",
                "host": private.host,
                "insecure": True,
                "username": USERNAME,
                "passwordFile": PRIVATE_PASSWORD,
            },
        ]
        webhook = _installed(server, directory, target=target.host, source={"registries": entries})
        (directory / "credentials").mkdir()
        webhook.start()
        stack.callback(webhook.stop)
        stack.enter_context(_worker(webhook))
        url = stack.enter_context(_web(webhook))
        yield System(url, server, webhook, source, private, target)


def _installed(server: PostgresServer, directory: Path, *, target: str, **keys: Any) -> Webhook:
    """Create a database with tables, the rows of the configuration, and users."""
    directory.mkdir(parents=True, exist_ok=True)
    name = f"site_{free_port()}"
    with psycopg.connect(f"{server.url}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    config = write_config(directory / "config.yaml", target=target, **keys)
    webhook = Webhook(config, f"{server.url}/{name}", directory)
    webhook.prepare()
    _shell(webhook, "from tests.support.users import create_users; create_users()")
    return webhook


def _shell(webhook: Webhook, code: str) -> None:
    run_manage("shell", "-c", code, environment=webhook.environment)


@contextmanager
def _web(webhook: Webhook) -> Iterator[str]:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with web_process(webhook, port) as web:
        wait_until(lambda: _is_ready(url), timeout=60, what=f"admin and API (log: {web.log})")
        yield url


def _is_ready(url: str) -> bool:
    try:
        return POOL.request("GET", f"{url}/readyz", retries=False, timeout=5).status == 200
    except urllib3.exceptions.HTTPError:
        return False


@contextmanager
def _worker(webhook: Webhook) -> Iterator[Process]:
    bind = {"SWAPPER_BIND": f"127.0.0.1:{free_port()}"}
    environment = {**webhook.environment, "SWAPPER_ROLE": "worker", **bind, **WORKER}
    worker = Process([sys.executable, "manage.py", "worker"], environment, webhook.directory / "worker.log")
    worker.start()
    try:
        wait_until(
            lambda: "The worker is ready" in worker.log.read_text(), timeout=60, what=f"a worker (log: {worker.log})"
        )
        yield worker
    finally:
        worker.stop()
