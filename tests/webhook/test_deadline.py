"""The timeout of the API server, which it sends in the URL, limits the time of a response."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mirrors.demo.registry import MemoryRegistry
from tests.support.faulty_registry import FaultyRegistry, hang
from tests.support.system import Webhook, pod_of, review_of
from tests.webhook.mirrored import embedded_webhook
from webhook.http import deadline


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        ("timeout=5s", 5.0),
        ("timeout=30s", 30.0),
        ("timeout=1.5s", 1.5),
        ("timeout=500ms", 0.5),
        ("a=b&timeout=10s", 10.0),
        ("", None),
        ("timeout=", None),
        ("timeout=5", None),
        ("timeout=-5s", None),
        ("timeout=0s", None),
        ("timeout=31s", None),
        ("timeout=1h", None),
        ("timeout=5s&timeout=3s", None),
        ("timeout=five", None),
        ("timeout=%00", None),
        ("mytimeout=5s", None),
        ("timeout=" + "9" * 8_000 + "s", None),
        ("&".join(["timeout=5s"] + ["a=1"] * 2_000), None),
    ],
)
def test_the_timeout_parameter_of_the_api_server_is_parsed(query: str, seconds: float | None) -> None:
    assert deadline.timeout_of_query(query) == seconds


def test_a_short_request_timeout_limits_the_response_time(
    source: MemoryRegistry, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    with embedded_webhook(tmp_path, source, faulty) as webhook:
        faulty.on("HEAD ", hang, times=float("inf"))
        try:
            # Each review has another image, because a review does not wait for a request that is already in progress.
            assert waited(webhook, "1", "?timeout=1s") < 1_000
            assert 1_200 < waited(webhook, "2", "?timeout=nonsense") < 15_000
            assert 1_200 < waited(webhook, "3", "?timeout=30s") < 15_000
        finally:
            faulty.closing.set()


def waited(webhook: Webhook, name: str, query: str) -> float:
    """Return the milliseconds of a review whose image is looked up at the target, from the log."""
    review = review_of(pod_of(f"example.com/asked-{name}:1"))
    assert webhook.post(json.dumps(review).encode(), f"{webhook.path}{query}").status == 200
    uid = review["request"]["uid"]
    (line,) = [line for line in webhook.log_lines() if line.get("uid") == uid and line["message"] == "Admitted"]
    milliseconds: float = line["milliseconds"]
    return milliseconds
