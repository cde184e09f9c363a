"""A webhook is stopped and replaced under load: no request is refused or interrupted.

Clients behave like an API server: they keep and reuse connections, and open new ones through the Service. The Service
has removed a pod by the time the pod receives its SIGTERM (the chart's preStop waits for that).
"""

from __future__ import annotations

import http.client
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.serving.clients import answer, connect, request
from tests.serving.conftest import ALWAYS, TARGET
from tests.support.databases import DatabaseTemplate
from tests.support.ports import wait_until
from tests.support.proxy import Proxy
from tests.support.steady_load import SteadyLoad
from tests.support.system import POOL, Webhook, write_config

PRE_STOP = 0.5
"""Seconds between the last new connection to a pod and its SIGTERM."""


@pytest.fixture
def replicas(database_template: DatabaseTemplate, tmp_path: Path) -> Iterator[list[Webhook]]:
    """Two webhooks that share one database."""
    with database_template.copy(tmp_path) as url:
        started = []
        for name in ("one", "two"):
            directory = tmp_path / name
            directory.mkdir()
            config = write_config(directory / "config.yaml", target=TARGET, **ALWAYS)
            started.append(Webhook(config, url, directory))
        started[0].prepare()
        for webhook in started:
            webhook.start()
        yield started
        for webhook in started:
            webhook.stop()


def leave(webhook: Webhook, proxy: Proxy) -> None:
    """Stop a webhook like a deleted pod: leave the Service, wait for preStop, send SIGTERM, and wait until it has
    exited."""
    proxy.backends.remove(webhook.port)
    time.sleep(PRE_STOP)
    assert webhook.process is not None and webhook.process.popen is not None
    POOL.connection_from_url(webhook.url).close()
    webhook.process.popen.send_signal(signal.SIGTERM)
    assert webhook.process.popen.wait(30) == 0


def has_answered_more_than(load: SteadyLoad, number: int) -> bool:
    return load.answers > number


def test_rolling_replacement_of_replicas_loses_no_requests(replicas: list[Webhook]) -> None:
    one, two = replicas
    with Proxy(one.port, two.port) as service:
        front = Webhook(one.config, one.database_url, one.directory, url=f"http://127.0.0.1:{service.port}")
        with (
            SteadyLoad(front, "nginx:1.25", clients=6, pause=0.01) as kept,
            SteadyLoad(front, "nginx:1.25", clients=2, pause=0.01, fresh=True) as fresh,
        ):
            wait_until(lambda: kept.answers > 50, what="a load")
            for webhook in replicas:
                leave(webhook, service)
                webhook.start()
                service.backends.append(webhook.port)
                for load in (kept, fresh):
                    wait_until(partial(has_answered_more_than, load, load.answers + 50), what="answers after it")


def newcomer(webhook: Webhook) -> tuple[int, str | None]:
    """Return the status and the ``Connection`` header of a response on a new connection."""
    connection = http.client.HTTPConnection("127.0.0.1", webhook.port, timeout=10)
    try:
        connection.request("POST", "/webhook", body=request().partition(b"\r\n\r\n")[2])
        response = connection.getresponse()
        return response.status, response.getheader("Connection")
    finally:
        connection.close()


def test_a_stopping_webhook_responds_before_it_closes_each_connection(replicas: list[Webhook]) -> None:
    webhook = replicas[0]
    kept = connect(webhook, tls=False)
    kept.sendall(request())
    assert answer(kept)[0] == 200
    assert webhook.process is not None and webhook.process.popen is not None
    POOL.connection_from_url(webhook.url).close()

    webhook.process.popen.send_signal(signal.SIGTERM)

    # A client whose node has not been updated yet is served too.
    wait_until(lambda: newcomer(webhook) == (200, "close"), what="the server to know that it stops")
    kept.sendall(request())
    status, _ = answer(kept)
    assert status == 200
    assert kept.recv(1) == b"", "the connection ends behind its answer"
    kept.close()
    assert webhook.process.popen.wait(20) == 0
