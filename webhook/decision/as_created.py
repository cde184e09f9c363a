"""The decision about an image if a pod like one that runs were created now. Pure: no database, no network."""

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

OF_THE_POD: Final = frozenset(
    {
        Reason.OPTED_OUT,
        Reason.MIRROR_POD,
        Reason.KNOWN_OPERATOR,
        Reason.PULL_POLICY_NEVER,
        Reason.FILTERED,
        Reason.FILTER_BUDGET,
    }
)
"""Reasons to keep a source whatever the target has: they follow from the pod and the policy."""


def decisions_of(pod: Json, *, namespace: str, source: str, image: str, policy: ReviewPolicy) -> list[Decision]:
    """For each place where the pod has the image, as its source or swapped (``image``)."""
    slots = [found for slot in pods.all_slots(pod) if (found := _as_source(slot, source, image))]
    return decision.classify_pod(
        slots,
        policy=policy,
        pod=pod,
        namespace=namespace,
        kept=decision.untouchable(pod, policy),
        on_filter_error=_on_filter_error,
    )


def reason_to_keep(pod: Json, *, namespace: str, source: str, image: str, policy: ReviewPolicy) -> tuple[str, str]:
    """Why a pod like this one would keep the source of the image, with the filter if one matches; both empty: nothing
    in it would. An image that the pod names at the target itself needs no swap."""
    is_named_there = policy.annotate and not _names(image, source)
    swapped = original_images(pod) or {}
    for decided in decisions_of(pod, namespace=namespace, source=source, image=image, policy=policy):
        if decided.reason in OF_THE_POD and not (is_named_there and decided.slot.label not in swapped):
            return decided.reason.value, decided.filter
    return "", ""


def _as_source(slot: ImageSlot, source: str, image: str) -> ImageSlot | None:
    """The place in the pod, as it was before the image was swapped; None for other images."""
    if slot.image == image and not _names(slot.image, source):
        return replace(slot, image=source, container={**slot.container, "image": source})
    return slot if _names(slot.image, source) else None


def _names(image: str, source: str) -> bool:
    try:
        return str(ImageRef.parse(image)) == source
    except InvalidReferenceError:
        return False


def _on_filter_error(name: str, error: Exception) -> None:
    log.warning("A filter failed on this image and is skipped", filter=name, error=str(error))
