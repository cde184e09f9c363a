"""What a person at kubectl is told of a review: warnings they can act on, and why a pod is denied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from mirrors.reasons import Reason
from webhook.decision import Decision
from webhook.guard import FOREIGN, is_foreign
from webhook.snapshot import Snapshot

WARNED: Final = {
    Reason.TAMPERED: "its mirror is not what was written there; an operator has to look into it",
    Reason.QUOTA: "its namespace has ordered as many new images as it may for now; it runs from its source",
    Reason.ERROR: "an error inside the webhook; see its log",
    Reason.TARGET_NAME_TAKEN: "its name at the target registry belongs to another source; rename one of them",
}


def denial(decisions: Sequence[Decision], snapshot: Snapshot) -> str:
    """Under ``enforce`` nobody runs another's private image by naming its mirror. Where nothing is to be changed,
    nothing is denied either."""
    policy = snapshot.policy
    if policy.private_images != "enforce" or policy.dry_run or policy.switched_off:
        return ""
    images = [d.slot.image[:120] for d in decisions if is_foreign(d)]
    return f"k8s-image-swapper: {', '.join(images)}: {FOREIGN}" if images else ""


def warnings_of(decisions: Sequence[Decision]) -> list[str]:
    """Lines that a person at kubectl sees, for what they can act on."""
    lines = [
        f"k8s-image-swapper: {d.slot.image[:120]} was left as it is: {WARNED[d.reason]}"
        for d in decisions
        if d.reason in WARNED
    ]
    return lines + [f"k8s-image-swapper: {d.slot.image[:120]}: {FOREIGN}" for d in decisions if is_foreign(d)]
