"""Reasons why an image was kept or swapped: one enumeration for logs, metrics, rows, API and ``explain``."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """The reason of a decision. ``REASON_MEANING`` has the text for users."""

    INVALID_REFERENCE = "invalid-reference"
    PLACEHOLDER = "placeholder"
    ALREADY_AT_TARGET = "already-at-target"
    UNCHANGED = "unchanged"
    OPTED_OUT = "opted-out"
    MIRROR_POD = "mirror-pod"
    KNOWN_OPERATOR = "known-operator"
    PULL_POLICY_NEVER = "pull-policy-never"
    FILTERED = "filtered"
    FILTER_BUDGET = "filter-budget"
    TOO_MANY_IMAGES = "too-many-images"
    SOURCE_NOT_ALLOWED = "source-not-allowed"
    QUOTA = "quota"
    TARGET_NAME_TAKEN = "target-name-taken"
    PAUSED = "paused"
    ABSENT = "absent"
    UNKNOWN = "unknown"
    BUSY = "busy"
    ACCESS_UNKNOWN = "access-unknown"
    ACCESS_DENIED = "access-denied"
    TAMPERED = "tampered"
    IMMUTABLE_CONFLICT = "immutable-conflict"
    PLATFORM_NOT_MIRRORED = "platform-not-mirrored"
    TARGET_UNHEALTHY = "target-unhealthy"
    RESTART_LOOP = "restart-loop"
    DRY_RUN = "dry-run"
    SWITCHED_OFF = "switched-off"
    ERROR = "error"
    POLICY_ALWAYS = "policy-always"
    PRESENT = "present"
    PRESENT_STALE = "present-stale"
    COPIED = "copied"


BEFORE_FILTERS: Final = frozenset(
    {
        Reason.UNCHANGED,
        Reason.PLACEHOLDER,
        Reason.INVALID_REFERENCE,
        Reason.ALREADY_AT_TARGET,
        Reason.OPTED_OUT,
        Reason.MIRROR_POD,
        Reason.KNOWN_OPERATOR,
        Reason.PULL_POLICY_NEVER,
        Reason.TOO_MANY_IMAGES,
    }
)
"""Reasons that are found before a filter is evaluated."""

REASON_MEANING: dict[Reason, str] = {
    Reason.INVALID_REFERENCE: "not an image reference",
    Reason.PLACEHOLDER: "a placeholder that an injector replaces",
    Reason.ALREADY_AT_TARGET: "already comes from the target registry",
    Reason.UNCHANGED: "this update does not change it",
    Reason.OPTED_OUT: "the pod has opted out",
    Reason.MIRROR_POD: "a mirror pod of a static pod: the kubelet would replace it forever if it were changed",
    Reason.KNOWN_OPERATOR: "the operator of the pod replaces pods with a changed image",
    Reason.PULL_POLICY_NEVER: "its pull policy is Never: only an image on the node can be used",
    Reason.FILTERED: "a filter matches",
    Reason.FILTER_BUDGET: "the filters need more steps than one review allows",
    Reason.TOO_MANY_IMAGES: "the pod has more images than one review allows",
    Reason.SOURCE_NOT_ALLOWED: "its source registry is not allowed: if it is yours, add it to the source registries",
    Reason.QUOTA: "the quota of its namespace for new images is used up",
    Reason.TARGET_NAME_TAKEN: "another source has the same name at the target",
    Reason.PAUSED: "its mapping is paused",
    Reason.ABSENT: "not mirrored yet",
    Reason.UNKNOWN: "the target registry did not confirm that it has the image",
    Reason.BUSY: "too many reviews are waiting; the copy is queued",
    Reason.ACCESS_UNKNOWN: "not known yet whether its source can be read",
    Reason.ACCESS_DENIED: "its source is private and this namespace has no access",
    Reason.TAMPERED: "the image at the target was changed after it was written",
    Reason.IMMUTABLE_CONFLICT: "the source tag was moved and the target's tags are immutable",
    Reason.PLATFORM_NOT_MIRRORED: "not mirrored for the cluster's platforms",
    Reason.TARGET_UNHEALTHY: "nodes of the cluster cannot pull from the target registry",
    Reason.RESTART_LOOP: "pods of its workload were deleted again and again after they were swapped",
    Reason.DRY_RUN: "dry run is configured: nothing is changed",
    Reason.SWITCHED_OFF: "swapping is switched off",
    Reason.ERROR: "an error in the webhook",
    Reason.POLICY_ALWAYS: "the swap policy is always",
    Reason.PRESENT: "the target has the image",
    Reason.PRESENT_STALE: "the target had it at the last check",
    Reason.COPIED: "just copied",
}


def meaning_of(reason: str) -> str:
    """Return the text for a reason that a row contains; empty for a reason of another version."""
    return next((meaning for member, meaning in REASON_MEANING.items() if member.value == reason), "")
