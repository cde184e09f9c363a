"""Reasons why a new pod would keep the source of an image, as rows of running images have them."""

from __future__ import annotations

from typing import Final

from mirrors.vocabulary.reasons import Reason, meaning_of

NOT_REVIEWED: Final = "not-reviewed"
"""A reason in addition to those of decisions: the API server does not send the pod to the webhook."""

POSTPONED: Final = "postponed"
"""The value of ``decided_for`` of a row whose pod could not be read when it was last tried."""

REASON_LENGTH: Final = 40
"""The length of the column for reasons: the longest one has 21 characters."""

DETAILS_LENGTH: Final = 300
"""The length of the column for details: a longer name of a filter is cut."""

NEXT_STEPS: Final[dict[str, str]] = {
    NOT_REVIEWED: "Include its namespace, or the pod, in the selectors of the webhook's registration.",
    Reason.OPTED_OUT: "Remove k8s-image-swapper/skip from the pod template.",
    Reason.MIRROR_POD: "Use the mirror's reference in the manifest of the static pod on the node.",
    Reason.KNOWN_OPERATOR: "Use the mirror's reference in the resource of the operator.",
    Reason.PULL_POLICY_NEVER: "Load the image on each node, or change the pull policy.",
    Reason.FILTERED: "Change the filter, or use the mirror's reference in the workload.",
    Reason.FILTER_BUDGET: "Simplify the filters: they need too many steps for this pod.",
    Reason.RESTART_LOOP: "Exclude the workload with a filter and use the mirror's reference in it, or release the "
    "loop.",
    Reason.TARGET_UNHEALTHY: "Fix what keeps the nodes from pulling from the target: see the page Target health.",
    Reason.DRY_RUN: "Set dryRun: false.",
    Reason.SWITCHED_OFF: "Switch swapping on again.",
}
"""For each reason, the action after which new pods use the mirror."""


def explanation_of(reason: str, details: str) -> str:
    """Return a text for users that explains why the webhook keeps the source."""
    if reason == NOT_REVIEWED:
        return "the API server does not send its namespace, or the pod, to the webhook"
    if reason == Reason.FILTERED and details:
        return f"filter {details}"
    return meaning_of(reason) or reason
