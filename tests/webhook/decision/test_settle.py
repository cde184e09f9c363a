"""Decisions on an image that depend on the known state of its target: one line per rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mirrors.images import ImageRef, TargetName
from mirrors.kubernetes.objects.pods import ImageSlot
from mirrors.vocabulary.reasons import Reason
from webhook.decision.decision import Decision, ImageFacts, ReviewPolicy, needs_copy, needs_refresh, settle

TARGET = TargetName("mirror.example.com", "cache")
SOURCE = ImageRef.parse("nginx:1.27")
POLICY = ReviewPolicy(target=TARGET)
PUBLIC = ImageFacts(existence="present", access="anonymous", mapping_id=1)


def undecided(image: str = "nginx:1.27", pull_policy: str = "IfNotPresent") -> Decision:
    slot = ImageSlot(pointer="/spec/containers/0/image", image=image, name="app", container={}, pull_policy=pull_policy)
    source = ImageRef.parse(image)
    return Decision(slot, Reason.UNKNOWN, source=source, target=TARGET.retarget(source), key=str(source))


@pytest.mark.parametrize(
    ("known", "policy", "reason", "swap"),
    [
        ({}, {}, Reason.PRESENT, True),
        ({"stale": True}, {}, Reason.PRESENT_STALE, True),
        ({"copied": True}, {}, Reason.COPIED, True),
        ({"existence": "absent"}, {}, Reason.ABSENT, False),
        ({"existence": "unknown"}, {}, Reason.UNKNOWN, False),
        ({"existence": "unknown", "busy": True}, {}, Reason.BUSY, False),
        ({"existence": "absent", "busy": True}, {}, Reason.BUSY, False),
        # Obstacles to a swap come first, whatever the policy.
        ({"obstacle": Reason.PAUSED}, {}, Reason.PAUSED, False),
        ({"obstacle": Reason.TAMPERED}, {"swap_policy": "always"}, Reason.TAMPERED, False),
        # Access of the namespace to the image.
        ({"access": "unknown"}, {}, Reason.ACCESS_UNKNOWN, False),
        ({"access": "secrets"}, {}, Reason.ACCESS_DENIED, False),
        ({"access": "secrets", "granted": True}, {}, Reason.PRESENT, True),
        ({"access": "secrets", "denied": True}, {}, Reason.ACCESS_DENIED, False),
        ({"access": "unreadable"}, {}, Reason.ACCESS_DENIED, False),
        ({"access": "secrets"}, {"private_images": "mirror"}, Reason.PRESENT, True),
        # With policy ``always``, unknown images are swapped and private ones are not.
        ({"existence": "absent"}, {"swap_policy": "always"}, Reason.POLICY_ALWAYS, True),
        ({"existence": "unknown", "access": "unknown"}, {"swap_policy": "always"}, Reason.POLICY_ALWAYS, True),
        ({"existence": "absent", "access": "secrets"}, {"swap_policy": "always"}, Reason.ACCESS_DENIED, False),
        ({"access": "unknown", "denied": True}, {"swap_policy": "always"}, Reason.ACCESS_DENIED, False),
    ],
)
def test_settle(known: dict[str, Any], policy: dict[str, Any], reason: Reason, swap: bool) -> None:
    settled = settle(undecided(), replace(PUBLIC, **known), replace(POLICY, **policy))

    assert (settled.reason, settled.swap, settled.would) == (reason, swap, None)


@pytest.mark.parametrize(
    ("known", "policy", "reason", "would"),
    [
        ({}, {"dry_run": True}, Reason.DRY_RUN, Reason.PRESENT),
        ({"existence": "absent"}, {"dry_run": True}, Reason.DRY_RUN, Reason.ABSENT),
        ({"existence": "unknown"}, {"dry_run": True}, Reason.UNKNOWN, None),
        ({"obstacle": Reason.PAUSED}, {"dry_run": True}, Reason.PAUSED, None),
        ({}, {"switched_off": True}, Reason.SWITCHED_OFF, Reason.PRESENT),
        ({"existence": "absent"}, {"switched_off": True}, Reason.ABSENT, None),
        ({}, {"switched_off": True, "dry_run": True}, Reason.SWITCHED_OFF, Reason.PRESENT),
    ],
)
def test_dry_run_and_kill_switch_prevent_a_swap(
    known: dict[str, Any], policy: dict[str, Any], reason: Reason, would: Reason | None
) -> None:
    settled = settle(undecided(), replace(PUBLIC, **known), replace(POLICY, **policy))

    assert (settled.reason, settled.swap, settled.would) == (reason, False, would)


@pytest.mark.parametrize(
    ("known", "policy", "wanted"),
    [
        ({}, {}, False),
        ({"existence": "absent"}, {}, True),
        ({"existence": "unknown"}, {}, True),
        ({"access": "unknown"}, {}, True),
        ({"access": "unknown"}, {"private_images": "mirror"}, False),
        ({"access": "secrets", "access_due": True}, {}, True),
        ({"access": "secrets", "access_due": True, "granted": True}, {}, False),
        ({"existence": "absent"}, {"dry_run": True}, False),
        ({"existence": "absent"}, {"copy_policy": "none"}, False),
        ({"existence": "absent", "obstacle": Reason.QUOTA}, {}, False),
    ],
)
def test_wants_copy(known: dict[str, Any], policy: dict[str, Any], wanted: bool) -> None:
    assert needs_copy(undecided(), replace(PUBLIC, **known), replace(POLICY, **policy)) is wanted


DIGEST = "nginx@sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("image", "pull_policy", "seconds", "wanted"),
    [
        ("nginx:1.27", "IfNotPresent", 0.0, False),
        ("nginx:1.27", "IfNotPresent", 86_399.0, False),
        ("nginx:1.27", "IfNotPresent", 86_400.0, True),
        ("nginx:1.27", "Always", 59.0, False),
        ("nginx:1.27", "Always", 60.0, True),
        (DIGEST, "Always", 1e9, False),
    ],
)
def test_wants_refresh(image: str, pull_policy: str, seconds: float, wanted: bool) -> None:
    swapped = settle(undecided(image, pull_policy), replace(PUBLIC, seconds_since_check=seconds), POLICY)

    assert needs_refresh(swapped, POLICY) is wanted
