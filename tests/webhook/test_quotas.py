"""Quotas: how many copies a namespace can request, and the effect on others if it requests too many."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import query
from tests.support.faulty_registry import FaultyRegistry
from tests.support.ports import wait_until
from tests.support.system import Webhook, pod_of, review_of
from tests.webhook.mirrored import embedded_webhook, image, known_pods


def ordered(webhook: Webhook, namespace: str) -> int:
    sql = f"SELECT count(*) FROM mirrors_mirrorjob WHERE namespace = '{namespace}'"  # noqa: S608
    number: int = query(webhook.database_url, sql)[0][0]
    return number


@pytest.mark.parametrize("quotas", [{"newImagesPerHour": 5}, {"pendingJobs": 5}], ids=["an hour", "pending"])
def test_a_namespace_requests_no_more_copies_than_its_quota(
    source: MemoryRegistry, faulty: FaultyRegistry, tmp_path: Path, quotas: dict[str, int]
) -> None:
    with embedded_webhook(tmp_path, source, faulty, quotas=quotas) as webhook:

        def ask(number: int, namespace: str) -> str:
            response = webhook.admit(pod_of(f"{source.host}/greedy/app-{number}:1"), namespace=namespace)
            return webhook.reasons(response)[0]

        for number in range(5):
            ask(number, "greedy")
        wait_until(lambda: ordered(webhook, "greedy") == 5, what="what the quota allows")
        wait_until(lambda: ask(6, "greedy") == "quota", what="a refusal")
        response = webhook.admit(pod_of(f"{source.host}/greedy/app-7:1"), namespace="greedy")
        assert "its namespace has requested as many new images" in response.response["warnings"][0]

        # Mirrored images are still swapped in this namespace, even those that this process has not seen yet.
        for name in ("known", "unseen"):
            assert webhook.admit(pod_of(image(source, name)), namespace="greedy").images
        assert ordered(webhook, "greedy") == 5
        assert ask(8, "modest") == "absent"
        wait_until(lambda: ordered(webhook, "modest") == 1, what="another namespace's order")


def test_thousands_of_images_over_quota_do_not_delay_others(
    source: MemoryRegistry, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    with embedded_webhook(tmp_path, source, faulty, quotas={"newImagesPerHour": 1}) as webhook:

        def ask(number: int) -> Any:
            body = review_of(pod_of(f"{source.host}/flood/app-{number}:1"), namespace="flood")
            return webhook.post(json.dumps(body).encode()).status

        ask(0)
        wait_until(lambda: ordered(webhook, "flood") == 1, what="the one order")
        wait_until(lambda: ask(-1) and _quota_refusals(webhook) > 0, what="the first refusal")
        heads = faulty.count("HEAD ")
        with known_pods(webhook, source), ThreadPoolExecutor(8) as pool:
            statuses = Counter(pool.map(ask, range(1, 2_001)))
        assert statuses == {200: 2_000}
        assert _quota_refusals(webhook) > 1_800
        # The registry is queried only when the namespace is allowed to try again.
        assert faulty.count("HEAD ") - heads < 200
        assert ordered(webhook, "flood") == 1


def _quota_refusals(webhook: Webhook) -> float:
    return webhook.metrics().get('swapper_images_total{decision="keep",reason="quota"}', 0)
