"""An image that the target lost, from the first pod that cannot pull it until pods are swapped again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import query
from tests.support.ports import wait_until
from tests.support.system import Webhook, run_manage
from tests.webhook.mirrored import image, load_source, mirrored_webhook, reason

SEEN = """
from django.conf import settings
from mirrors.kubernetes.objects.pod_states import ContainerState, PodState
from mirrors.kubernetes.objects.workloads import Workload
from mirrors.watcher.inventory import Inventory
from mirrors.watcher.pulls.pull_failures import PullFailures
from swapper_project import config
found = config.load(settings.ENVIRONMENT.config)
state = ContainerState("app", {image!r}, "", False, "ErrImagePull", "failed to resolve reference: not found")
inventory = Inventory()
inventory.put_pod("u", PodState("shop", "web-1", Workload("Deployment", "web"), "rs", "node-1", 0.0, (state,)))
PullFailures(lambda: found).run(inventory)
"""


@pytest.fixture
def source() -> Iterator[MemoryRegistry]:
    with MemoryRegistry() as registry:
        load_source(registry)
        yield registry


@pytest.fixture
def target() -> Iterator[MemoryRegistry]:
    with MemoryRegistry() as registry:
        yield registry


@pytest.fixture
def webhook(database_url: str, tmp_path: Path, source: MemoryRegistry, target: MemoryRegistry) -> Iterator[Webhook]:
    with mirrored_webhook(database_url, tmp_path, source, target) as running:
        yield running


def test_pods_keep_the_source_until_a_lost_image_is_copied_again(
    webhook: Webhook, source: MemoryRegistry, target: MemoryRegistry
) -> None:
    lost = f"{target.host}/{image(source, 'known').replace(':', '_', 1)}"
    target.storage.manifests.clear()
    target.storage.blobs.clear()
    assert reason(webhook, source, "known") in {"present", "present-stale"}, "the webhook knows nothing of it yet"

    run_manage("shell", "-v0", "-c", SEEN.format(image=lost), environment=webhook.environment)

    wait_until(lambda: reason(webhook, source, "known") == "absent", what="a kept source")
    jobs = query(webhook.database_url, "SELECT priority FROM mirrors_mirrorjob WHERE status = 'pending'")
    assert jobs == [(0,)]

    worker = webhook.worker()
    worker.start()
    try:
        wait_until(lambda: reason(webhook, source, "known") == "present", timeout=60, what="a swap again")
    finally:
        worker.stop()
