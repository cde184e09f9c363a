"""The database is stopped, silent, slow, full or locked, and recovers. In the meantime, pods with known images are
swapped, other images are looked up at the target, and every response is in time."""

from __future__ import annotations

import contextlib
from pathlib import Path

import psycopg
import pytest

from mirrors.demo.images import sample_image
from mirrors.demo.registry import MemoryRegistry
from tests.support.ports import free_port, wait_until
from tests.support.postgres import PostgresServer
from tests.support.proxy import Proxy
from tests.support.system import Webhook, write_config
from tests.webhook.mirrored import (
    exclusively_locked,
    known_pods,
    mirrored_webhook,
    reason,
    wait_until_new_is_ordered,
)


def assert_goes_on_without_database(webhook: Webhook, source: MemoryRegistry, *, answers: int = 100) -> None:
    """Assert that reviews work without a database, under a steady load that lasts longer than the interval between
    reconnects."""
    with known_pods(webhook, source) as load:
        assert reason(webhook, source, "unseen") == "present"
        assert reason(webhook, source, "new") == "absent"
        wait_until(lambda: load.answers > answers, timeout=60, what="the load's answers")
        assert reason(webhook, source, "unseen") == "present"
    wait_until(lambda: webhook.metrics()["swapper_database_available"] == 0, what="the outage in the metrics")


def test_reviews_continue_while_postgres_is_stopped(
    source: MemoryRegistry, target: MemoryRegistry, tmp_path: Path, postgres: PostgresServer
) -> None:
    with mirrored_webhook(f"{postgres.url}/postgres", tmp_path, source, target) as webhook:
        with known_pods(webhook, source):
            postgres.stop()
            assert_goes_on_without_database(webhook, source)
            postgres.start()
            wait_until_new_is_ordered(webhook, source)
        wait_until(lambda: webhook.metrics()["swapper_database_available"] == 1, what="the recovery in the metrics")


@pytest.mark.parametrize("fault", ["silent", "slow"])
def test_reviews_continue_while_postgres_does_not_respond_in_time(
    source: MemoryRegistry, target: MemoryRegistry, tmp_path: Path, postgres: PostgresServer, fault: str
) -> None:
    """Packets are dropped, or take five seconds each."""
    direct = f"{postgres.url}/postgres"
    with (
        Proxy(postgres.port) as proxy,
        mirrored_webhook(
            direct.replace(str(postgres.port), str(proxy.port)), tmp_path, source, target, setup_url=direct
        ) as webhook,
    ):
        proxy.is_silent, proxy.delay = fault == "silent", 5.0 if fault == "slow" else 0.0
        assert_goes_on_without_database(webhook, source)
        proxy.is_silent, proxy.delay = False, 0.0
        with known_pods(webhook, source):
            wait_until_new_is_ordered(webhook, source, database_url=direct)


def test_reviews_continue_while_postgres_has_no_free_connections(
    source: MemoryRegistry, target: MemoryRegistry, tmp_path: Path, postgres: PostgresServer
) -> None:
    url = f"{postgres.url}/postgres"
    with mirrored_webhook(url, tmp_path, source, target) as webhook, contextlib.ExitStack() as stack:
        first = stack.enter_context(psycopg.connect(url, autocommit=True))

        def take_all() -> bool:
            """Take all connections and terminate those of the webhook, repeatedly in case it reconnects first."""
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    stack.enter_context(psycopg.connect(url, autocommit=True))
            first.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_port <> 0 AND pid NOT IN"
                " (SELECT pid FROM pg_stat_activity WHERE query = '' OR pid = pg_backend_pid())"
            )
            with contextlib.suppress(psycopg.OperationalError):
                while True:
                    stack.enter_context(psycopg.connect(url, autocommit=True))
            return webhook.metrics()["swapper_database_available"] == 0

        wait_until(take_all, timeout=60, what="the outage in the metrics")
        assert_goes_on_without_database(webhook, source)
        stack.close()
        with known_pods(webhook, source):
            wait_until_new_is_ordered(webhook, source)


def test_reviews_continue_while_sqlite_is_locked(
    source: MemoryRegistry, target: MemoryRegistry, tmp_path: Path
) -> None:
    file = tmp_path / "swapper.sqlite3"
    with mirrored_webhook(f"sqlite:///{file}", tmp_path, source, target) as webhook:
        with exclusively_locked(file), known_pods(webhook, source, clients=1, pause=0.2) as load:
            assert reason(webhook, source, "unseen") == "present"
            assert reason(webhook, source, "new") == "absent"
            wait_until(lambda: load.answers > 145, timeout=60, what="half a minute of answers")
        with known_pods(webhook, source):
            wait_until_new_is_ordered(webhook, source)


def test_a_webhook_starts_without_its_database(source: MemoryRegistry, target: MemoryRegistry, tmp_path: Path) -> None:
    sample_image(layers=1, layer_bytes=100).load(target.storage, f"{source.host.replace(':', '_')}/team/unseen", "1.0")
    registries = [{"type": "oci", "host": source.host, "insecure": True}]
    config = write_config(tmp_path / "config.yaml", target=target.host, source={"registries": registries})
    switch = tmp_path / "switch"
    url = f"postgres://nobody@127.0.0.1:{free_port()}/none"
    webhook = Webhook(config, url, tmp_path, {"SWAPPER_SWAP_FILE": str(switch)})
    webhook.start()
    try:
        assert reason(webhook, source, "unseen") == "present"
        assert reason(webhook, source, "new") == "absent"

        # The kill switch does not need a database either.
        switch.write_text("off\n")
        wait_until(lambda: reason(webhook, source, "unseen") == "switched-off", what="the switch's effect")
        switch.write_text("on\n")
        wait_until(lambda: reason(webhook, source, "unseen") == "present", what="the switch's effect")
    finally:
        webhook.stop()
