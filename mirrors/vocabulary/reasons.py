"""Why an image was kept or swapped: one enumeration for log, metrics, rows, API and ``explain``."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """A decision's reason; the text behind each is for people."""

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
    DRY_RUN = "dry-run"
    SWITCHED_OFF = "switched-off"
    ERROR = "error"
    POLICY_ALWAYS = "policy-always"
    PRESENT = "present"
    PRESENT_STALE = "present-stale"
    COPIED = "copied"


MEANING: dict[Reason, str] = {
    Reason.INVALID_REFERENCE: "not an image reference",
    Reason.PLACEHOLDER: "a placeholder that an injector replaces",
    Reason.ALREADY_AT_TARGET: "comes from the target registry already",
    Reason.UNCHANGED: "this update does not change it",
    Reason.OPTED_OUT: "the pod asks to be left alone",
    Reason.MIRROR_POD: "the pod mirrors a static pod: the kubelet replaces it for ever if it is changed",
    Reason.KNOWN_OPERATOR: "the pod's operator replaces pods whose image is not the one that it wrote",
    Reason.PULL_POLICY_NEVER: "its pull policy is Never: only an image on the node can run",
    Reason.FILTERED: "a filter matches",
    Reason.FILTER_BUDGET: "the filters cost more than one review may",
    Reason.TOO_MANY_IMAGES: "the pod names more images than one review looks at",
    Reason.SOURCE_NOT_ALLOWED: "its source registry is not allowed",
    Reason.QUOTA: "its namespace has used up its quota of new images",
    Reason.TARGET_NAME_TAKEN: "another source has this name at the target",
    Reason.PAUSED: "an operator has paused its mapping",
    Reason.ABSENT: "not mirrored yet",
    Reason.UNKNOWN: "the target registry did not say whether it has it",
    Reason.BUSY: "too many reviews wait already; the copy is queued",
    Reason.ACCESS_UNKNOWN: "not shown yet that its source may be read from here",
    Reason.ACCESS_DENIED: "its source is private and this namespace has not shown access",
    Reason.TAMPERED: "the image at the target is not the one that was written",
    Reason.IMMUTABLE_CONFLICT: "the source has moved and the target's tags are immutable",
    Reason.PLATFORM_NOT_MIRRORED: "not mirrored for the cluster's platforms",
    Reason.DRY_RUN: "dry run is configured: nothing is changed",
    Reason.SWITCHED_OFF: "swapping is switched off",
    Reason.ERROR: "an error inside the webhook",
    Reason.POLICY_ALWAYS: "the swap policy is always",
    Reason.PRESENT: "the target has it",
    Reason.PRESENT_STALE: "the target had it when it last answered",
    Reason.COPIED: "copied just now",
}


def meaning_of(reason: str) -> str:
    """The words behind a reason as rows have it; empty for one of another version."""
    return next((words for known, words in MEANING.items() if known.value == reason), "")
