"""Whether a repository at the target has a private image of another namespace: one line per rule."""

from __future__ import annotations

import time
from typing import Any

import pytest
from time_machine import TimeMachineFixture

from mirrors.images import ImageRef
from mirrors.kubernetes.objects.pods import ImageSlot
from mirrors.selectors.images.mapping_snapshot import MappingSnapshot
from mirrors.vocabulary.reasons import Reason
from tests.webhook.rows import HOUR, NOW, PRIVATE, SOURCE, grant, row, snapshot_in
from webhook.decision.decision import Decision
from webhook.decision.review_limits import ReviewLimits
from webhook.decision.snapshot import Snapshot
from webhook.review.guard import is_private_repository, names_private_mirror


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return snapshot_in(tmp_path_factory.mktemp("snapshot"))


@pytest.fixture(autouse=True)
def at_the_moment_of_the_tables(time_machine: TimeMachineFixture) -> None:
    time_machine.move_to(NOW, tick=False)


def mapped(**fields: Any) -> MappingSnapshot:
    known = row(**fields).mapping
    assert known is not None
    return known


@pytest.mark.parametrize(
    ("owners", "namespace", "is_private"),
    [
        ([], "other", False),
        ([{}], "other", False),
        ([PRIVATE], "other", True),
        ([{"access": "unreadable"}], "other", True),
        ([{"access": "unreadable", "existence": "absent"}], "other", True),
        ([{"access": "unreadable", "existence": "unknown", "target_digest": ""}], "other", False),
        ([{"access": "unreadable", "existence": "absent", "target_digest": ""}], "other", False),
        ([{"access": "secrets", "existence": "absent", "target_digest": ""}], "other", True),
        ([{"access": "unknown"}], "other", False),
        # Configured credentials, for the namespaces that are allowed to use them.
        ([{"access": "configured"}], "shop", False),
        ([{"access": "configured"}], "other", True),
        # Pull secrets that read the source recently, but not those that read it long ago or failed to.
        ([grant(True, 60.0)], "other", False),
        ([grant(True, 60.0)], "third", True),
        ([grant(True, 1_000 * HOUR)], "other", True),
        ([grant(False, 60.0)], "other", True),
        ([grant(True, 60.0, cluster="b")], "other", True),
        # One private tag makes the whole repository private.
        ([{}, PRIVATE], "other", True),
    ],
)
def test_private_repositories(
    snapshot: Snapshot, owners: list[dict[str, Any]], namespace: str, is_private: bool
) -> None:
    limits = ReviewLimits(time.monotonic() + 2, namespace=namespace)

    assert is_private_repository([mapped(**fields) for fields in owners], snapshot, limits) is is_private


MIRROR = ImageRef.parse("mirror.example.com:5000/registry.example.com/team/app:1.0")


@pytest.mark.parametrize(
    ("reason", "source", "target", "foreign"),
    [
        (Reason.ACCESS_DENIED, MIRROR, MIRROR, True),
        (Reason.ACCESS_DENIED, SOURCE, MIRROR, False),
        (Reason.ALREADY_AT_TARGET, MIRROR, MIRROR, False),
    ],
)
def test_a_denied_direct_reference_to_the_mirror_is_foreign(
    reason: Reason, source: ImageRef, target: ImageRef, foreign: bool
) -> None:
    slot = ImageSlot("/spec/containers/0/image", "app", str(source), container={})

    assert names_private_mirror(Decision(slot, reason, source=source, target=target)) is foreign
