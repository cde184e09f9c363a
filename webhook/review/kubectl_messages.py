"""Messages of a review that kubectl shows: warnings that users can act on, and the reason why a pod is denied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mirrors.vocabulary.reasons import Reason
from webhook.decision.decision import Decision
from webhook.decision.snapshot import Snapshot
from webhook.review.guard import PRIVATE_MIRROR_MESSAGE, names_private_mirror

MOST_LINES: Final = 20
"""The maximum number of warnings, or of images in one message; the API server truncates longer output."""

TOO_MANY_IMAGES: Final = "this pod has more images than one review allows"

WARNING_TEXTS: Final = {
    Reason.TAMPERED: "its mirror was changed after it was written; ask an operator to check it",
    Reason.QUOTA: "its namespace has requested as many new images as its quota allows for now; it runs from its source",
    Reason.ERROR: "an error in the webhook; see its log",
    Reason.TARGET_NAME_TAKEN: "its name at the target registry belongs to another source; rename one of them",
}


def denial_message(decisions: Sequence[Decision], snapshot: Snapshot) -> str:
    """Return the message of a denial; empty if the pod is admitted.

    Under ``enforce``, a pod that names the mirror of a private image of another namespace is denied. Nothing is denied
    in dry run, or while swapping is switched off.
    """
    policy = snapshot.policy
    if policy.private_images != "enforce" or policy.dry_run or policy.switched_off:
        return ""
    images = [d.slot.image[:120] for d in decisions if names_private_mirror(d)]
    if images:
        return f"k8s-image-swapper: {_join_images(images)}: {PRIVATE_MIRROR_MESSAGE}"
    if any(d.reason is Reason.TOO_MANY_IMAGES for d in decisions):
        # An image that was not reviewed may be a private mirror of another namespace.
        return f"k8s-image-swapper: {TOO_MANY_IMAGES}; use several pods"
    return ""


def warnings_of(decisions: Sequence[Decision], unlisted: int = 0) -> list[str]:
    """Return the warnings that kubectl shows: only about problems that its user can act on. ``unlisted`` is the number
    of images that ``decisions`` does not contain."""
    lines = [
        f"k8s-image-swapper: {d.slot.image[:120]} was not changed: {WARNING_TEXTS[d.reason]}"
        for d in decisions
        if d.reason in WARNING_TEXTS
    ]
    lines += [
        f"k8s-image-swapper: {d.slot.image[:120]}: {PRIVATE_MIRROR_MESSAGE}"
        for d in decisions
        if names_private_mirror(d)
    ]
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_LINES], f"k8s-image-swapper: and {len(lines) - MOST_LINES} more such warnings"]
    unreviewed = unlisted + sum(d.reason is Reason.TOO_MANY_IMAGES for d in decisions)
    if unreviewed:
        lines.append(f"k8s-image-swapper: {TOO_MANY_IMAGES}; {unreviewed} images were not changed")
    return lines


def _join_images(images: Sequence[str]) -> str:
    more = f" and {len(images) - MOST_LINES} more" if len(images) > MOST_LINES else ""
    return ", ".join(images[:MOST_LINES]) + more
