"""Suspended swaps: the target is unhealthy for the webhook's cluster, or a workload is in a restart loop."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import DatabaseTemplate
from tests.support.ports import wait_until
from tests.support.system import Webhook, pod_of, run_manage, running_webhook, write_config

KEYS: dict[str, Any] = {"imageSwapPolicy": "always", "imageCopyPolicy": "none", "clusterName": "west"}
IMAGE = "example.com/team/app:1"
OWNER = {"apiVersion": "x/v1", "kind": "Database", "name": "orders", "uid": "u", "controller": True}
SOON = "timezone.now() + timedelta(hours=1)"


@pytest.fixture(scope="module")
def webhook(
    target: MemoryRegistry, database_template: DatabaseTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Webhook]:
    directory = tmp_path_factory.mktemp("suspended")
    with running_webhook(directory, database_template, target=target.host, **KEYS) as running:
        yield running


@pytest.fixture(autouse=True)
def healthy(webhook: Webhook, target: MemoryRegistry) -> Iterator[None]:
    yield
    write_config(webhook.config, target=target.host, **KEYS)
    shell(webhook, "TargetHealth.objects.all().delete(); RestartLoop.objects.all().delete()")
    wait_until(lambda: reason(webhook) == "policy-always", what="a swap again")


def shell(webhook: Webhook, code: str) -> None:
    imports = "from datetime import timedelta; from django.utils import timezone; from mirrors.models import *"
    run_manage("shell", "-v0", "-c", f"{imports}; {code}", environment=webhook.environment)


def set_health(webhook: Webhook, registry: str, state: str, cluster: str = "west") -> None:
    shell(
        webhook,
        f"TargetHealth.objects.update_or_create(cluster='{cluster}', registry='{registry}', "
        f"defaults={{'state': '{state}'}})",
    )


def add_loop(webhook: Webhook, **fields: str) -> None:
    known = {"cluster": "west", "namespace": "shop", "workload_kind": "Database", "workload": "orders"}
    values = ", ".join(f"{name}={value!r}" for name, value in {**known, "source": IMAGE, "key": "k", **fields}.items())
    shell(webhook, f"RestartLoop.objects.create({values}, image='m', count=5, expires_at={SOON})")


def reason(webhook: Webhook, *, namespace: str = "shop", image: str = IMAGE, **request: Any) -> str:
    pod = pod_of(image, ownerReferences=[OWNER])
    return webhook.reasons(webhook.admit(pod, namespace=namespace, **request))[0]


def test_swaps_stop_while_the_target_is_unhealthy_and_resume_on_recovery(
    webhook: Webhook, target: MemoryRegistry
) -> None:
    set_health(webhook, target.host, "unhealthy")
    started = time.monotonic()
    wait_until(lambda: reason(webhook) == "target-unhealthy", what="a kept source")
    assert time.monotonic() - started < 3
    assert webhook.admit(pod_of(IMAGE)).images == {}

    set_health(webhook, target.host, "healthy")
    wait_until(lambda: reason(webhook) == "policy-always", what="a swap again")


def test_only_a_few_pods_are_swapped_while_a_target_is_under_test(webhook: Webhook, target: MemoryRegistry) -> None:
    set_health(webhook, target.host, "unhealthy")
    wait_until(lambda: reason(webhook) == "target-unhealthy", what="a kept source")
    set_health(webhook, target.host, "testing")
    # Dry-run requests do not count as tests.
    time_limit = time.monotonic() + 3
    while time.monotonic() < time_limit:
        assert reason(webhook, dryRun=True) == "target-unhealthy"

    reasons = [reason(webhook) for _ in range(30)]

    assert 1 <= reasons.count("policy-always") <= 4
    assert set(reasons) == {"policy-always", "target-unhealthy"}


def test_swaps_continue_for_other_clusters_other_targets_and_policy_swap(
    webhook: Webhook, target: MemoryRegistry
) -> None:
    set_health(webhook, target.host, "unhealthy", cluster="east")
    set_health(webhook, "other.example.com", "unhealthy")
    add_loop(webhook, cluster="east", key="east")
    # A row that is read after the earlier ones.
    add_loop(webhook, namespace="marker", key="marker")
    wait_until(lambda: reason(webhook, namespace="marker") == "restart-loop", what="the last row")
    assert reason(webhook) == "policy-always"

    set_health(webhook, target.host, "unhealthy")
    wait_until(lambda: reason(webhook) == "target-unhealthy", what="a kept source")
    write_config(webhook.config, target=target.host, **KEYS, onTargetUnhealthy="swap")
    wait_until(lambda: reason(webhook) == "policy-always", what="the changed configuration")


def test_a_restart_loop_suspends_swaps_only_for_its_workload_and_image(webhook: Webhook) -> None:
    add_loop(webhook)
    wait_until(lambda: reason(webhook) == "restart-loop", what="a kept source")

    assert reason(webhook, namespace="blog") == "policy-always"
    assert reason(webhook, image="example.com/team/other:1") == "policy-always"
    assert webhook.reasons(webhook.admit(pod_of(IMAGE), namespace="shop")) == ["policy-always"]

    shell(webhook, "RestartLoop.objects.update(released_at=timezone.now())")
    wait_until(lambda: reason(webhook) == "policy-always", what="a swap again")
