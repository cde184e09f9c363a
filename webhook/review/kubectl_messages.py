"""Messages of a review in kubectl: warnings that users can act on, and why a pod is denied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mirrors.vocabulary.reasons import Reason
from webhook.decision.decision import Decision
from webhook.decision.snapshot import Snapshot
from webhook.review.guard import FOREIGN, is_foreign

MOST_LINES: Final = 20
"""Warnings about images, or images in one message; the API server cuts what is longer."""

TOO_MANY_IMAGES: Final = "this pod has more images than one review allows"

WARNED: Final = {
    Reason.TAMPERED: "its mirror was changed after it was written; ask an operator to check it",
    Reason.QUOTA: "its namespace has requested as many new images as its quota allows for now; it runs from its source",
    Reason.ERROR: "an error in the webhook; see its log",
    Reason.TARGET_NAME_TAKEN: "its name at the target registry belongs to another source; rename one of them",
}


def denial(decisions: Sequence[Decision], snapshot: Snapshot) -> str:
    """Under ``enforce`` nobody runs another's private image by naming its mirror. Where nothing is to be changed,
    nothing is denied either."""
    policy = snapshot.policy
    if policy.private_images != "enforce" or policy.dry_run or policy.switched_off:
        return ""
    images = [d.slot.image[:120] for d in decisions if is_foreign(d)]
    if images:
        return f"k8s-image-swapper: {_listed(images)}: {FOREIGN}"
    if any(d.reason is Reason.TOO_MANY_IMAGES for d in decisions):
        # What is not looked at may be another's private mirror.
        return f"k8s-image-swapper: {TOO_MANY_IMAGES}; use several pods"
    return ""


def warnings_of(decisions: Sequence[Decision], unlisted: int = 0) -> list[str]:
    """Lines that a person at kubectl sees, for what they can act on."""
    lines = [
        f"k8s-image-swapper: {d.slot.image[:120]} was not changed: {WARNED[d.reason]}"
        for d in decisions
        if d.reason in WARNED
    ]
    lines += [f"k8s-image-swapper: {d.slot.image[:120]}: {FOREIGN}" for d in decisions if is_foreign(d)]
    if len(lines) > MOST_LINES:
        lines = [*lines[:MOST_LINES], f"k8s-image-swapper: and {len(lines) - MOST_LINES} more such warnings"]
    rest = unlisted + sum(d.reason is Reason.TOO_MANY_IMAGES for d in decisions)
    if rest:
        lines.append(f"k8s-image-swapper: {TOO_MANY_IMAGES}; {rest} images were not changed")
    return lines


def _listed(images: Sequence[str]) -> str:
    more = f" and {len(images) - MOST_LINES} more" if len(images) > MOST_LINES else ""
    return ", ".join(images[:MOST_LINES]) + more
