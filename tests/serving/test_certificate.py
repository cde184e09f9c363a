"""The certificate is renewed under load. If a new one cannot be used, the previous one stays in use and this is
reported."""

from __future__ import annotations

import datetime as dt
import ssl
from functools import partial

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from tests.serving.conftest import Pair
from tests.support.authority import Authority
from tests.support.ports import wait_until
from tests.support.steady_load import SteadyLoad
from tests.support.system import Webhook

EXPIRY = "swapper_webhook_certificate_expiry_seconds"
PROBLEM = "swapper_webhook_certificate_problem"


def serial_number(webhook: Webhook) -> int:
    """Return the serial number of the certificate that a new connection receives."""
    pem = ssl.get_server_certificate(("127.0.0.1", webhook.port), timeout=10)
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


def is_shown(webhook: Webhook, wanted: int) -> bool:
    return serial_number(webhook) == wanted


def test_a_renewed_certificate_is_used_without_a_failed_request(webhook: Webhook, pair: Pair) -> None:
    with SteadyLoad(webhook, "nginx:1.25", fresh=True, pause=0.01), SteadyLoad(webhook, "nginx:1.25"):
        for hours in (1, 2, 3):
            wanted = pair.authority.issue(pair.cert, pair.key, valid_for=dt.timedelta(hours=hours))
            wait_until(partial(is_shown, webhook, wanted), what="the renewed certificate")
    wait_until(lambda: 2 * 3600 < webhook.metrics()[EXPIRY] <= 3 * 3600, what="the new expiry in the metrics")
    assert webhook.metrics()[PROBLEM] == 0


def test_an_expired_certificate_in_use_is_reported_until_it_is_renewed(webhook: Webhook, pair: Pair) -> None:
    ends_soon = pair.authority.issue(pair.cert, pair.key, valid_for=dt.timedelta(seconds=8))
    wait_until(lambda: serial_number(webhook) == ends_soon, what="the certificate that ends soon")
    wait_until(lambda: webhook.metrics()[PROBLEM] == 1, what="the problem in the metrics")
    assert webhook.metrics()[EXPIRY] <= 0
    (reported,) = [line for line in webhook.log_lines() if "certificate in use has expired" in line["message"]]
    assert reported["file"] == str(pair.cert)

    pair.authority.issue(pair.cert, pair.key)
    wait_until(lambda: webhook.metrics()[PROBLEM] == 0, what="the end of the problem in the metrics")


@pytest.mark.parametrize("damage", ["torn", "wrong key", "expired", "not yet", "encrypted", "garbage", "gone"])
def test_an_unusable_pair_is_reported_and_the_previous_pair_stays_in_use(
    webhook: Webhook, pair: Pair, damage: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    good, key = serial_number(webhook), pair.key.read_bytes()
    match damage:
        case "torn":
            pair.authority.issue(pair.cert, pair.key)
            pair.cert.write_bytes(pair.cert.read_bytes()[:200])
        case "wrong key":
            pair.authority.issue(pair.cert, pair.key)
            pair.key.write_bytes(key)
        case "expired":
            pair.authority.issue(pair.cert, pair.key, valid_for=dt.timedelta(seconds=-60))
        case "not yet":
            pair.authority.issue(pair.cert, pair.key, begins_in=dt.timedelta(days=6), valid_for=dt.timedelta(days=7))
        case "encrypted":
            pair.authority.issue(pair.cert, pair.key)
            private = serialization.load_pem_private_key(pair.key.read_bytes(), None)
            pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
            pair.key.write_bytes(private.private_bytes(pem, pkcs8, serialization.BestAvailableEncryption(b"secret")))
        case "garbage":
            pair.cert.write_text("no certificate")
        case "gone":
            pair.key.unlink()

    wait_until(lambda: webhook.metrics()[PROBLEM] == 1, what="the problem in the metrics")
    assert serial_number(webhook) == good
    (reported,) = [line for line in webhook.log_lines() if "new certificate cannot be used" in line["message"]]
    assert str(pair.cert) in reported["error"]

    # The next valid pair is used, whichever authority issued it.
    wanted = Authority(tmp_path_factory.mktemp("other")).issue(pair.cert, pair.key)
    wait_until(lambda: serial_number(webhook) == wanted, what="the next good certificate")
    wait_until(lambda: webhook.metrics()[PROBLEM] == 0, what="the end of the problem in the metrics")
