"""The decision whether an image is kept or swapped, and why. Pure: no database, no network, no clock.

``classify`` uses only the image and the configuration. It either decides, or names the image at the target; ``settle``
then decides from the facts about that target image. `suspensions.py` can still suspend a swap after that, because of
the state of the whole target or of the workload.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from mirrors.filters import CompiledFilter, ReviewBudget, ReviewBudgetError
from mirrors.filters.chain import first_match
from mirrors.images import ImageRef, InvalidReferenceError, TargetName
from mirrors.kubernetes.objects import pods
from mirrors.kubernetes.objects.pods import ImageSlot, Json
from mirrors.vocabulary.reasons import Reason

PLACEHOLDERS: Final = frozenset({"auto"})
"""Istio writes this as the image of its proxy, and its injector replaces it."""


ALWAYS_REFRESH_AGE: Final = 60.0
"""Seconds between comparisons of source and target for an image whose pull policy is ``Always``."""


@dataclass(frozen=True, slots=True)
class ReviewPolicy:
    """The part of the configuration that decisions use."""

    target: TargetName
    filters: tuple[CompiledFilter, ...] = ()
    swap_policy: str = "exists"
    copy_policy: str = "delayed"
    private_images: str = "guard"
    respects_opt_out: bool = True
    skips_known_operators: bool = True
    dry_run: bool = False
    switched_off: bool = False
    annotate: bool = True
    refresh_age: float = 86_400.0
    allows_source: Callable[[str], bool] = lambda host: True


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """The facts about a target image at the time of a decision."""

    existence: str = "unknown"
    mapping_id: int | None = None
    access: str = "unknown"
    granted: bool = False
    """Whether the pod's namespace is allowed to use an image that is not public."""
    access_due: bool = False
    """Whether the namespace's access has to be checked (again)."""
    denied: bool = False
    """Whether this namespace failed to read the source, or the repository at the target holds private images that the
    namespace is not allowed to use."""
    stale: bool = False
    copied: bool = False
    obstacle: Reason | None = None
    """A reason that rules out a swap, such as: name taken, paused, tampered, out of quota."""
    busy: bool = False
    seconds_since_check: float = 0.0
    """Seconds since source and target were last compared; 0 if that is unknown, or if a job is queued or running."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The outcome for one image. ``target`` is set as soon as the image has a name at the target registry.

    ``would`` is the reason that would apply without dry run and the kill switch, if one of them changed the outcome.
    """

    slot: ImageSlot
    reason: Reason
    swap: bool = False
    source: ImageRef | None = None
    target: ImageRef | None = None
    filter: str = ""
    would: Reason | None = None
    facts: ImageFacts | None = None
    key: str = ""
    """The canonical reference of the source, which identifies its mapping; empty if ``classify`` completed the
    decision."""


def classify(
    slot: ImageSlot,
    *,
    policy: ReviewPolicy,
    pod: dict[str, Any],
    keep_reason: Reason | None,
    budget: ReviewBudget,
    on_filter_error: Callable[[str, Exception], None],
) -> Decision:
    """Decide as far as the image and the configuration allow.

    ``keep_reason`` is the reason why the pod as a whole must not be changed. A returned decision with reason
    ``unknown`` and a target is open: ``settle`` completes it.
    """
    if not slot.changed:
        return Decision(slot, Reason.UNCHANGED)
    if slot.image in PLACEHOLDERS:
        return Decision(slot, Reason.PLACEHOLDER)
    try:
        source = ImageRef.parse(slot.image)
    except InvalidReferenceError:
        return Decision(slot, Reason.INVALID_REFERENCE)
    if policy.target.contains(source):
        return Decision(slot, Reason.ALREADY_AT_TARGET, source=source, target=source)
    if keep_reason is not None:
        return Decision(slot, keep_reason, source=source)
    if slot.pull_policy == "Never":
        return Decision(slot, Reason.PULL_POLICY_NEVER, source=source)
    return _classify_by_filters(slot, source, policy, pod, budget, on_filter_error)


def _classify_by_filters(
    slot: ImageSlot,
    source: ImageRef,
    policy: ReviewPolicy,
    pod: dict[str, Any],
    budget: ReviewBudget,
    on_filter_error: Callable[[str, Exception], None],
) -> Decision:
    """Decide whether the configuration excludes the image; if not, return an open decision with its target."""
    try:
        matched = first_match(policy.filters, {"obj": pod, "container": slot.container}, budget, on_filter_error)
    except ReviewBudgetError:
        return Decision(slot, Reason.FILTER_BUDGET, source=source)
    if matched is not None:
        return Decision(slot, Reason.FILTERED, source=source, filter=matched)
    if not policy.allows_source(source.registry):
        return Decision(slot, Reason.SOURCE_NOT_ALLOWED, source=source)
    return Decision(slot, Reason.UNKNOWN, source=source, target=policy.target.retarget(source), key=str(source))


def classify_pod(
    slots: Iterable[ImageSlot],
    *,
    policy: ReviewPolicy,
    pod: Json,
    namespace: str,
    keep_reason: Reason | None,
    on_filter_error: Callable[[str, Exception], None],
) -> list[Decision]:
    """Classify these images of a pod. They share one budget for the evaluation of filters."""
    namespaced_pod, budget = pods.in_namespace(pod, namespace), ReviewBudget()
    return [
        classify(
            slot,
            policy=policy,
            pod=namespaced_pod,
            keep_reason=keep_reason,
            budget=budget,
            on_filter_error=on_filter_error,
        )
        for slot in slots
    ]


def pod_keep_reason(pod: Json, policy: ReviewPolicy) -> Reason | None:
    """Return the reason why no image of the pod must be changed; None if the images can be changed."""
    if policy.respects_opt_out and pods.opted_out(pod):
        return Reason.OPTED_OUT
    if pods.is_mirror_pod(pod):
        return Reason.MIRROR_POD
    if policy.skips_known_operators and pods.comparing_operator(pod):
        return Reason.KNOWN_OPERATOR
    return None


def is_open(decision: Decision) -> bool:
    """Return whether ``settle`` still has to complete the decision."""
    return decision.reason is Reason.UNKNOWN and decision.target is not None


def settle(decision: Decision, facts: ImageFacts, policy: ReviewPolicy) -> Decision:
    """Complete an open decision from the facts about its target."""
    reason, swap = _verdict(facts, policy)
    would: Reason | None = None
    if swap and policy.switched_off:
        reason, swap, would = Reason.SWITCHED_OFF, False, reason
    elif policy.dry_run and (swap or reason is Reason.ABSENT):
        reason, swap, would = Reason.DRY_RUN, False, reason
    return Decision(
        decision.slot,
        reason,
        swap,
        source=decision.source,
        target=decision.target,
        would=would,
        facts=facts,
        key=decision.key,
    )


def _verdict(facts: ImageFacts, policy: ReviewPolicy) -> tuple[Reason, bool]:
    if facts.obstacle is not None:
        return facts.obstacle, False
    obstacle = access_obstacle(facts, policy)
    if policy.swap_policy == "always":
        # An image of unknown provenance is swapped, and checked in the background. A private image stays guarded.
        return (obstacle, False) if obstacle is Reason.ACCESS_DENIED else (Reason.POLICY_ALWAYS, True)
    if facts.existence == "present":
        if obstacle is not None:
            return obstacle, False
        if facts.copied:
            return Reason.COPIED, True
        return (Reason.PRESENT_STALE if facts.stale else Reason.PRESENT), True
    if facts.busy:
        return Reason.BUSY, False
    return (Reason.ABSENT if facts.existence == "absent" else Reason.UNKNOWN), False


def access_obstacle(facts: ImageFacts, policy: ReviewPolicy) -> Reason | None:
    """Return the reason why access to the private image prevents a swap in this namespace; None if it does not."""
    if policy.private_images == "mirror" or facts.granted or facts.access == "anonymous":
        return None
    if facts.denied:
        return Reason.ACCESS_DENIED
    return Reason.ACCESS_UNKNOWN if facts.access == "unknown" else Reason.ACCESS_DENIED


def needs_copy(decision: Decision, facts: ImageFacts, policy: ReviewPolicy) -> bool:
    """Return whether the image is to be mirrored now: it is not present at the target, or how its source can be read is
    unknown or due to be checked again."""
    if decision.target is None or policy.dry_run or policy.copy_policy == "none" or facts.obstacle is not None:
        return False
    unchecked = facts.access == "unknown" and policy.private_images != "mirror"
    return facts.existence != "present" or unchecked or (facts.access_due and not facts.granted)


def needs_refresh(decision: Decision, policy: ReviewPolicy) -> bool:
    """Return whether source and target of a swapped image are due to be compared: repeatedly for a tag, once for a
    digest."""
    facts = decision.facts
    if not decision.swap or decision.source is None or facts is None or policy.copy_policy == "none":
        return False
    # Another tool pushed the image, or the database was lost: a job finds out what the image is.
    has_no_mapping = facts.existence == "present" and facts.mapping_id is None
    if has_no_mapping or facts.access_due:
        return True
    if decision.source.digest:
        return False
    age = min(ALWAYS_REFRESH_AGE, policy.refresh_age) if decision.slot.pull_policy == "Always" else policy.refresh_age
    return facts.seconds_since_check >= age
