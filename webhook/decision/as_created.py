"""The decision about an image of a running pod if that pod were created now. Pure: no database, no network."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import structlog

from mirrors.images import ImageRef, InvalidReferenceError
from mirrors.kubernetes.objects import pods
from mirrors.kubernetes.objects.pods import ImageSlot, Json
from mirrors.vocabulary.reasons import Reason
from webhook.decision import decision
from webhook.decision.decision import Decision, ReviewPolicy
from webhook.decision.patch import original_images

log = structlog.get_logger(__name__)

POD_REASONS: Final = frozenset(
    {
        Reason.OPTED_OUT,
        Reason.MIRROR_POD,
        Reason.KNOWN_OPERATOR,
        Reason.PULL_POLICY_NEVER,
        Reason.FILTERED,
        Reason.FILTER_BUDGET,
    }
)
"""Reasons to keep a source that follow only from the pod and the policy, not from the target."""


def decisions_of(pod: Json, *, namespace: str, source: str, image: str, policy: ReviewPolicy) -> list[Decision]:
    """Return a decision for each container or volume of the pod that uses the image: either as ``source``, or swapped,
    as ``image``."""
    slots = [found for slot in pods.all_slots(pod) if (found := _with_source(slot, source, image))]
    return decision.classify_pod(
        slots,
        policy=policy,
        pod=pod,
        namespace=namespace,
        keep_reason=decision.pod_keep_reason(pod, policy),
        on_filter_error=_on_filter_error,
    )


def reason_to_keep(pod: Json, *, namespace: str, source: str, image: str, policy: ReviewPolicy) -> tuple[str, str]:
    """Return the reason why a pod like this one would keep the source of the image, and the filter that matches, if
    any. Both are empty if nothing in the pod or the policy prevents a swap.

    An image that the pod itself names at the target needs no swap, so it is not reported.
    """
    is_named_at_target = policy.annotate and not _is_reference_to(image, source)
    swapped = original_images(pod) or {}
    for decided in decisions_of(pod, namespace=namespace, source=source, image=image, policy=policy):
        if decided.reason in POD_REASONS and not (is_named_at_target and decided.slot.label not in swapped):
            return decided.reason.value, decided.filter
    return "", ""


def _with_source(slot: ImageSlot, source: str, image: str) -> ImageSlot | None:
    """Return the slot with its image as it was before the swap; None if the slot uses another image."""
    if slot.image == image and not _is_reference_to(slot.image, source):
        return replace(slot, image=source, container={**slot.container, "image": source})
    return slot if _is_reference_to(slot.image, source) else None


def _is_reference_to(image: str, source: str) -> bool:
    try:
        return str(ImageRef.parse(image)) == source
    except InvalidReferenceError:
        return False


def _on_filter_error(name: str, error: Exception) -> None:
    log.warning("A filter failed on this image and is skipped", filter=name, error=str(error))
