"""Obstacles to a swap although the target has the image: tampering, immutable tags and missing platforms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mirrors.demo.images import sample_image
from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import query
from tests.support.faulty_registry import FaultyRegistry, reply
from tests.support.ports import wait_until
from tests.support.system import Process, Webhook, pod_of, run_manage
from tests.webhook.mirrored import embedded_webhook, image, load_source, mirror_of, reason

SOON = {"maxAge": "1s"}
IMMUTABLE = b'{"errors": [{"code": "TAG_INVALID", "message": "the tag is immutable"}]}'


@pytest.fixture
def source() -> Iterator[MemoryRegistry]:
    with MemoryRegistry() as registry:
        load_source(registry)
        yield registry


@contextmanager
def worker_of(webhook: Webhook) -> Iterator[Process]:
    worker = webhook.worker()
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def test_a_mirror_overwritten_by_another_client_is_not_used(
    source: MemoryRegistry, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    with embedded_webhook(tmp_path, source, faulty, existence=SOON) as webhook:
        sample_image(seed=66, layers=1, layer_bytes=100).load(faulty.storage, f"{mirror_of(source)}/team/known", "1.0")

        wait_until(lambda: reason(webhook, source, "known") == "tampered", what="the tampering to be noticed")
        response = webhook.admit(pod_of(image(source, "known")))
        assert response.images == {}
        assert "its mirror was changed after it was written" in response.response["warnings"][0]
        (reported,) = [line for line in webhook.log_lines() if "changed after it was written" in line["message"]]
        assert reported["image"] == image(source, "known")

        # An operator's request ends the obstacle.
        run_manage("mirror", image(source, "known"), environment=webhook.environment)
        wait_until(lambda: reason(webhook, source, "known") in ("present", "present-stale"), what="a swap again")


def test_our_own_copy_is_not_reported_as_tampering(
    source: MemoryRegistry, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    """The tag moves at the source and is copied. All pods in between use the mirror."""
    with embedded_webhook(tmp_path, source, faulty, existence=SOON, refreshAge="1s") as webhook, worker_of(webhook):
        moved = sample_image(seed=67, layers=1, layer_bytes=100)
        moved.load(source.storage, "team/known", "1.0")

        def is_copied() -> bool:
            assert reason(webhook, source, "known") in ("present", "present-stale")
            found = faulty.storage.manifest(f"{mirror_of(source)}/team/known", "1.0")
            return found is not None and found[0] == moved.root

        wait_until(is_copied, what="the moved tag at the mirror")
        for _ in range(10):
            assert reason(webhook, source, "known") in ("present", "present-stale")


def test_a_moved_tag_that_is_immutable_at_the_target_is_not_swapped(
    source: MemoryRegistry, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    with embedded_webhook(tmp_path, source, faulty, existence=SOON, refreshAge="1s") as webhook, worker_of(webhook):
        faulty.on("PUT .*/manifests/1.0", reply(400, IMMUTABLE), times=float("inf"))
        sample_image(seed=68, layers=1, layer_bytes=100).load(source.storage, "team/known", "1.0")

        wait_until(lambda: reason(webhook, source, "known") == "immutable-conflict", what="the conflict")
        assert webhook.admit(pod_of(image(source, "known"))).images == {}

        # After the tag is deleted at the target, it can be copied again.
        faulty.heal()
        with faulty.storage.lock:
            faulty.storage.tags = {
                key: value for key, value in faulty.storage.tags.items() if not key[0].endswith("team/known")
            }
        wait_until(lambda: reason(webhook, source, "known") == "absent", what="the deletion to be noticed")
        run_manage("mirror", image(source, "known"), environment=webhook.environment)
        wait_until(lambda: reason(webhook, source, "known") in ("present", "present-stale"), what="a swap again")


def bound_to(image: str, *architectures: str) -> dict[str, Any]:
    pod = pod_of(image)
    pod["spec"]["nodeSelector"] = {"kubernetes.io/os": "linux"}
    expression = {"key": "kubernetes.io/arch", "operator": "In", "values": list(architectures)}
    term = {"nodeSelectorTerms": [{"matchExpressions": [expression]}]}
    pod["spec"]["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": term}}
    return pod


def test_a_pod_for_a_platform_that_is_not_mirrored_is_kept(
    source: MemoryRegistry, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    with embedded_webhook(tmp_path, source, faulty, existence=SOON, platforms=["linux/amd64"]) as webhook:
        name = image(source, "known")

        def reason_of(pod: dict[str, Any]) -> str:
            return webhook.reasons(webhook.admit(pod))[0]

        assert reason_of(bound_to(name, "arm64")) == "platform-not-mirrored"
        assert reason_of(bound_to(name, "amd64", "arm64")) == "platform-not-mirrored"
        assert reason_of(bound_to(name, "amd64")) in ("present", "present-stale")
        assert reason_of(pod_of(name)) in ("present", "present-stale")


CLUSTER = """
INSERT INTO mirrors_cluster (name, version, pods, nodes, platforms, namespaces, problem, listed_at)
VALUES ('default', '', 0, 1, '["linux/amd64"]', '[]', '', CURRENT_TIMESTAMP)
"""
NEW_NODE = """UPDATE mirrors_cluster SET platforms = '["linux/amd64", "linux/arm64"]'"""
REVISION = """
INSERT INTO mirrors_revision ("table", number) VALUES ('mirrors_cluster', 1)
ON CONFLICT ("table") DO UPDATE SET number = mirrors_revision.number + 1
"""


def test_a_pod_is_kept_until_its_image_is_copied_for_a_new_node_platform(
    source: MemoryRegistry, faulty: FaultyRegistry, tmp_path: Path
) -> None:
    with embedded_webhook(tmp_path, source, faulty, existence=SOON, platforms="auto") as webhook:
        name = image(source, "new")

        def watch(statement: str) -> None:
            query(webhook.database_url, statement)
            query(webhook.database_url, REVISION)

        def reason_of(pod: dict[str, Any]) -> str:
            return webhook.reasons(webhook.admit(pod))[0]

        watch(CLUSTER)
        run_manage("mirror", name, environment=webhook.environment)
        wait_until(lambda: reason_of(pod_of(name)) in ("present", "present-stale"), what="the swap")
        watch(NEW_NODE)
        wait_until(lambda: reason_of(pod_of(name)) == "platform-not-mirrored", what="the new node")
        assert reason_of(bound_to(name, "amd64")) in ("present", "present-stale"), "it gets to no other node"
        assert reason_of(bound_to(name, "arm64")) == "platform-not-mirrored"
        known = image(source, "known")
        assert reason_of(pod_of(known)) in ("present", "present-stale"), "it was mirrored with all platforms"

        run_manage("mirror", name, environment=webhook.environment)
        wait_until(lambda: reason_of(pod_of(name)) in ("present", "present-stale"), what="the swap after the copy")
