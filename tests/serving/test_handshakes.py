"""Refused TLS handshakes are logged with advice, once a minute."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Callable
from itertools import count

import pytest
import structlog

from swapper_project.serving.handshakes import FAILURE_LOG_EVERY, FailedHandshakes, failure_meaning
from tests.serving.conftest import Pair
from tests.support.ports import wait_until
from tests.support.system import Webhook

MESSAGE = "A TLS handshake was refused"


def unknown_authority(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as plain, contextlib.suppress(ssl.SSLError):
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")


def another_name(port: int, authorities: str) -> None:
    context = ssl.create_default_context(cafile=authorities)
    with socket.create_connection(("127.0.0.1", port), 10) as plain, contextlib.suppress(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="swapper.example.com")


def plain_http(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        plain.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        plain.settimeout(10)
        with contextlib.suppress(OSError):
            plain.recv(1)


def says_nothing(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), 10).close()


def test_each_kind_of_handshake_failure_is_logged_once_with_advice(webhook: Webhook, pair: Pair) -> None:
    clients: list[Callable[[], None]] = [
        lambda: unknown_authority(webhook.port),
        lambda: another_name(webhook.port, str(pair.authority.file)),
        lambda: plain_http(webhook.port),
        lambda: says_nothing(webhook.port),
    ]
    for client in clients * 5:
        client()

    def told() -> list[dict[str, str]]:
        return [line for line in webhook.log_lines() if line["message"] == MESSAGE]

    wait_until(lambda: len(told()) >= 3, what="a line for each kind")
    # Each is logged by a separate thread, so their order is not defined.
    assert sorted(line["error"].partition(".")[0] for line in told()) == [
        "The client does not trust our certificate: its authority is unknown",
        "The client refused our certificate",
        "The client speaks plain HTTP",
    ]
    assert "caBundle" in told()[0]["error"]
    assert {line["client"] for line in told()} == {"127.0.0.1"}
    assert {line["level"] for line in told()} == {"warning"}


def failed(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, "failed")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("TLSV1_ALERT_UNKNOWN_CA", "authority is unknown"),
        ("SSLV3_ALERT_BAD_CERTIFICATE", "refused our certificate. Put its authority"),
        ("SSLV3_ALERT_CERTIFICATE_UNKNOWN", "refused our certificate"),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "has expired"),
        ("HTTP_REQUEST", "plain HTTP"),
        ("UNSUPPORTED_PROTOCOL", "TLS 1.2 or newer"),
        ("TLSV1_ALERT_PROTOCOL_VERSION", "TLS 1.2 or newer"),
        ("NO_SHARED_CIPHER", "TLS 1.2 or newer"),
        ("UNEXPECTED_MESSAGE", "Check what the client sends"),
        ("", "Check what the client sends"),
    ],
)
def test_openssl_reasons_are_explained(reason: str, words: str) -> None:
    assert words in failure_meaning(failed(reason))


def test_each_kind_of_failure_is_logged_once_a_minute_with_a_count() -> None:
    seconds = count(0, 1)
    refused = FailedHandshakes(clock=lambda: float(next(seconds)))
    with structlog.testing.capture_logs() as lines:
        for _ in range(int(FAILURE_LOG_EVERY) + 1):
            refused.record(failed("TLSV1_ALERT_UNKNOWN_CA"), ("::ffff:192.0.2.1", 5))
        refused.record(failed("HTTP_REQUEST"), "")
        refused.record(ssl.SSLEOFError(), "")
        refused.record(ConnectionResetError(), "")
        refused.record(None, "")
    assert [(line["reason"], line["client"], line.get("more")) for line in lines] == [
        ("TLSV1_ALERT_UNKNOWN_CA", "192.0.2.1", None),
        ("TLSV1_ALERT_UNKNOWN_CA", "192.0.2.1", int(FAILURE_LOG_EVERY) - 1),
        ("HTTP_REQUEST", "", None),
    ]
