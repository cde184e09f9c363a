"""The state of an image that a mapping's row yields, for one namespace and time: one line per rule."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest
from time_machine import TimeMachineFixture

from mirrors.kubernetes.objects.pods import ImageSlot
from mirrors.vocabulary.reasons import Reason
from tests.webhook.rows import HOUR, NOW, PRIVATE, SOURCE, grant, row, snapshot_in
from webhook.database.mapping_cache import CachedMapping
from webhook.decision.decision import Decision
from webhook.decision.review_limits import ReviewLimits
from webhook.decision.snapshot import Snapshot
from webhook.knowledge import from_rows
from webhook.knowledge.registry_prober import ProbeResult


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return snapshot_in(tmp_path_factory.mktemp("snapshot"))


@pytest.fixture(autouse=True)
def at_the_moment_of_the_tables(time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(NOW, tick=False)


def knowledge(snapshot: Snapshot, known: CachedMapping | None, *, namespace: str = "other", platforms: Any = ()) -> Any:
    slot = ImageSlot("/spec/containers/0/image", "app", str(SOURCE), container={})
    undecided = Decision(slot, Reason.UNKNOWN, source=SOURCE, key=str(SOURCE))
    limits = ReviewLimits(time.monotonic() + 2, namespace=namespace, platforms=frozenset(platforms))
    return from_rows.facts_of_row(undecided, known, snapshot, limits)


@pytest.mark.parametrize(
    ("age", "is_stale"),
    # Images verified at the same time become stale at different times: after ten minutes, plus or minus a tenth.
    [(0.0, False), (500.0, False), (700.0, True), (100 * HOUR, True)],
)
def test_an_old_verification_is_stale(snapshot: Snapshot, age: float, is_stale: bool) -> None:
    assert knowledge(snapshot, row(verified_at=NOW - age)).stale is is_stale


def test_an_absent_image_is_never_stale(snapshot: Snapshot) -> None:
    assert not knowledge(snapshot, row(existence="absent", verified_at=0.0)).stale


@pytest.mark.parametrize(
    ("fields", "platforms", "obstacle"),
    [
        ({}, (), None),
        ({"paused": True}, (), Reason.PAUSED),
        ({"obstacle": "tampered"}, (), Reason.TAMPERED),
        ({"source": "docker.io/library/other:1.0"}, (), Reason.TARGET_NAME_TAKEN),
        ({}, ["linux/amd64"], None),
        ({}, ["linux/arm64"], Reason.PLATFORM_NOT_MIRRORED),
        ({"platforms": ("linux/arm64/v8",)}, ["linux/arm64"], None),
        ({"platforms": ()}, ["linux/arm64"], None),
    ],
)
def test_obstacles_to_a_swap(
    snapshot: Snapshot, fields: dict[str, Any], platforms: Any, obstacle: Reason | None
) -> None:
    assert knowledge(snapshot, row(**fields), platforms=platforms).obstacle == obstacle


@pytest.mark.parametrize(
    ("only", "nodes", "platforms", "obstacle"),
    [
        ("", ("linux/amd64", "linux/arm64"), (), None),
        ("linux/amd64", ("linux/amd64",), (), None),
        ("linux/amd64", ("linux/amd64", "linux/arm64"), (), Reason.PLATFORM_NOT_MIRRORED),
        ("linux/amd64", ("linux/amd64", "linux/arm64"), ["linux/amd64"], None),
        # The source has no image for arm64, and its copy was not limited to amd64.
        ("linux/amd64,linux/arm64", ("linux/amd64", "linux/arm64"), (), None),
        ("linux/amd64,linux/arm/v7", ("linux/amd64", "linux/arm"), (), None),
        ("linux/amd64", (), (), Reason.PLATFORM_NOT_MIRRORED),
        ("linux/amd64", None, (), None),
    ],
)
def test_a_copy_without_the_platforms_of_the_cluster_nodes_is_an_obstacle(
    snapshot: Snapshot, only: str, nodes: tuple[str, ...] | None, platforms: Any, obstacle: Reason | None
) -> None:
    known = row(only_platforms=tuple(filter(None, only.split(","))))
    assert knowledge(replace(snapshot, node_platforms=nodes), known, platforms=platforms).obstacle == obstacle


@pytest.mark.parametrize(
    ("fields", "namespace", "granted", "is_due", "is_denied"),
    [
        ({}, "other", False, False, False),
        ({"access": "configured"}, "shop", True, False, False),
        ({"access": "configured"}, "other", False, True, False),
        (PRIVATE, "shop", False, True, False),
        (grant(True, 60.0), "other", True, False, False),
        (grant(False, 60.0), "other", False, False, True),
        (grant(False, 700.0), "other", False, True, True),
        ({"access": "unreadable"}, "other", False, True, False),
        # A result for a namespace of the same name in another cluster.
        (grant(True, 60.0, cluster="b"), "other", False, True, False),
        (grant(False, 60.0, cluster="b"), "other", False, True, False),
    ],
)
def test_access_of_a_namespace_to_an_image(
    snapshot: Snapshot, fields: dict[str, Any], namespace: str, granted: bool, is_due: bool, is_denied: bool
) -> None:
    known = knowledge(snapshot, row(**fields), namespace=namespace)

    assert (known.granted, known.access_due, known.denied) == (granted, is_due, is_denied)


def test_an_image_without_a_row_is_unknown(snapshot: Snapshot) -> None:
    known = knowledge(snapshot, None)

    assert (known.existence, known.access, known.mapping_id) == ("unknown", "unknown", None)
    assert knowledge(snapshot, CachedMapping(None)) == known


@pytest.mark.parametrize(
    ("fields", "is_uncertain"),
    [
        ({}, False),
        ({"verified_at": NOW - HOUR}, False),
        ({"verified_at": NOW - 3 * HOUR}, True),
        ({"existence": "absent"}, True),
        ({"existence": "unknown"}, True),
        ({"existence": "absent", "paused": True}, False),
    ],
)
def test_absent_unknown_or_outdated_images_are_uncertain_unless_paused(
    snapshot: Snapshot, fields: dict[str, Any], is_uncertain: bool
) -> None:
    held = row(**fields)

    assert from_rows.is_uncertain(held, knowledge(snapshot, held), snapshot) is is_uncertain


def test_an_image_without_a_row_is_uncertain(snapshot: Snapshot) -> None:
    assert from_rows.is_uncertain(None, knowledge(snapshot, None), snapshot)


@pytest.mark.parametrize(
    ("fields", "digest", "is_tampered"),
    [
        ({"verified_at": NOW - HOUR}, "sha256:a", False),
        ({"verified_at": NOW - HOUR}, "sha256:b", True),
        ({"verified_at": NOW - HOUR}, "", False),
        ({"verified_at": NOW - HOUR, "target_digest": ""}, "sha256:b", False),
        # A running or just finished copy explains the difference.
        ({"verified_at": NOW - HOUR, "last_job_status": "running"}, "sha256:b", False),
        ({"verified_at": NOW + HOUR}, "sha256:b", False),
    ],
)
def test_a_changed_target_digest_is_tampering_unless_a_copy_explains_it(
    fields: dict[str, Any], digest: str, is_tampered: bool
) -> None:
    known = row(**fields).mapping

    assert known is not None
    assert from_rows.digest_differs(known, ProbeResult("present", digest)) is is_tampered


@pytest.mark.parametrize(
    ("fields", "obstacle"),
    [
        ({}, None),
        ({"existence": "absent"}, Reason.QUOTA),
        ({"existence": "unknown"}, Reason.QUOTA),
        ({"existence": "absent", "last_job_status": "pending"}, None),
        ({"existence": "absent", "paused": True}, Reason.PAUSED),
    ],
)
def test_an_exhausted_quota_blocks_only_missing_images_without_a_job(
    snapshot: Snapshot, fields: dict[str, Any], obstacle: Reason | None
) -> None:
    held = row(**fields)

    assert from_rows.out_of_quota(knowledge(snapshot, held), held).obstacle is obstacle


@pytest.mark.parametrize(("status", "is_counted"), [("succeeded", True), ("failed", True), ("running", False)])
def test_time_since_the_last_check_is_not_counted_while_a_job_runs(
    snapshot: Snapshot, status: str, is_counted: bool
) -> None:
    held = row(source_checked_at=NOW - HOUR, last_job_status=status)

    assert (knowledge(snapshot, held).seconds_since_check >= HOUR) is is_counted
