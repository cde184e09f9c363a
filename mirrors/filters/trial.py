"""Trials of filters before they are saved: on one pod, and on recently sampled pods.

Filters are evaluated by the same code and in the same order as in a review.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mirrors.filters.chain import first_match
from mirrors.filters.expression import CompiledFilter, FilterEvaluationError, ReviewBudget, ReviewBudgetError
from mirrors.kubernetes.objects import pods
from mirrors.kubernetes.objects.pods import ImageSlot, Json
from mirrors.vocabulary.reasons import BEFORE_FILTERS

MOST_TRIAL_IMAGES: Final = 100
"""The most images of one pod on which filters are tried; real pods have a few."""

BUDGET: Final = "filter-budget"
"""The winner's name for images at which the review's steps were used up: a review keeps these images too."""

TRIAL_SECONDS: Final = 2.0
"""The most seconds for all images of a trial, because a user waits for the page."""

STEPS: Final = 5_000_000
"""The most steps for all samples together: about as many as a fast machine runs in ``TRIAL_SECONDS``."""

MOST_CHANGES: Final = 200
"""The most changed images that are listed; the others are only counted."""

NOT_TRIED: Final = "not-tried"
"""The winner's name for images on which no filter was tried; each result has the reason."""

TOO_MANY_IMAGES: Final = f"not evaluated: only the first {MOST_TRIAL_IMAGES} images of a pod are tried"
TOO_SLOW: Final = "not evaluated: these filters take too long on this pod"

SLOT_KINDS: Final = {
    "initContainers": "init container",
    "containers": "container",
    "ephemeralContainers": "ephemeral container",
    "volumes": "image volume",
}


@dataclass(frozen=True, slots=True)
class FilterResult:
    """The result of one filter for one image. ``matches`` is None if the filter fails; ``error`` is then the reason."""

    name: str
    matches: bool | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """The results for one image of a pod. ``winner`` is the name of the filter that excludes the image, or empty; it is
    ``BUDGET`` or ``NOT_TRIED`` if there is no decision."""

    kind: str
    container: str
    image: str
    results: Sequence[FilterResult]
    winner: str


def try_filters(
    pod: Json, namespace: str, chain: Sequence[CompiledFilter], *, deadline: float | None = None
) -> list[Trial]:
    """Return each filter's result for each image, in the order of evaluation.

    No more images are tried after ``deadline`` (monotonic seconds; by default ``TRIAL_SECONDS`` from now), or after the
    first ``MOST_TRIAL_IMAGES``. The others are returned as ``NOT_TRIED``.
    """
    deadline = deadline or time.monotonic() + TRIAL_SECONDS
    reviewed = pods.in_namespace(pod, namespace) if namespace else dict(pod)
    budget = ReviewBudget()
    slots = list(pods.all_slots(reviewed))
    trials: list[Trial] = []
    for number, slot in enumerate(slots):
        if reason := _skip_reason(number, deadline):
            # A request can have very many images, so they share the results.
            skipped = [FilterResult(compiled.name, None, reason) for compiled in chain]
            return trials + [_trial(rest, skipped, NOT_TRIED) for rest in slots[number:]]
        data = {"obj": reviewed, "container": slot.container}
        # A review does not evaluate the filters after the winner, so each filter gets a separate budget.
        results = [_evaluate(compiled, data, ReviewBudget(), deadline) for compiled in chain]
        trials.append(_trial(slot, results, _winner(chain, data, budget)))
    return trials


def _trial(slot: ImageSlot, results: Sequence[FilterResult], winner: str) -> Trial:
    return Trial(SLOT_KINDS[slot.pointer.split("/")[2]], slot.name, slot.image, results, winner)


@dataclass(frozen=True, slots=True)
class SampledAdmission:
    """A sampled admission: its pod, and the reasons of its decisions by container and image."""

    id: int
    cluster: str
    namespace: str
    name: str
    pod: Json
    reasons: dict[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Change:
    """An image with a different decision. ``by`` is the filter that excludes the image now, or excluded it before."""

    sample: int
    cluster: str
    namespace: str
    pod: str
    container: str
    image: str
    by: str


@dataclass(slots=True)
class Impact:
    """The effect of a change of filters on sampled pods. ``is_cut`` if time or steps did not suffice for all pods."""

    pods: int = 0
    images: int = 0
    left_out: list[Change] = field(default_factory=list)
    mirrored: list[Change] = field(default_factory=list)
    left_out_count: int = 0
    mirrored_count: int = 0
    failures: int = 0
    failure: str = ""
    is_cut: bool = False


def impact_of(
    samples: Iterable[SampledAdmission],
    *,
    chains: Callable[[str], tuple[Sequence[CompiledFilter], Sequence[CompiledFilter]]],
    candidate: str,
    seconds: float = TRIAL_SECONDS,
) -> Impact:
    """Decide the images of each sample with the old and the new chain of its cluster, and compare the results.

    ``candidate`` is the name of the filter whose failures are counted.
    """
    impact = Impact()
    deadline, steps = time.monotonic() + seconds, STEPS
    for sample in samples:
        old, new = ReviewBudget(), ReviewBudget()
        before, after = chains(sample.cluster)
        reviewed = pods.in_namespace(sample.pod, sample.namespace)
        for slot in itertools.islice(pods.all_slots(reviewed), MOST_TRIAL_IMAGES):
            if sample.reasons.get((slot.label, slot.image), "unchanged") in BEFORE_FILTERS:
                continue
            if time.monotonic() > deadline or steps < 0:
                impact.is_cut = True
                return impact
            remaining = old.remaining + new.remaining
            data = {"obj": reviewed, "container": slot.container}
            old_winner = _winner(before, data, old)
            _compare(impact, sample, slot, old_winner, _winner(after, data, new, impact, candidate))
            steps -= remaining - old.remaining - new.remaining
        impact.pods += 1
    return impact


def _compare(impact: Impact, sample: SampledAdmission, slot: ImageSlot, old_winner: str, new_winner: str) -> None:
    impact.images += 1
    if bool(old_winner) == bool(new_winner):
        return
    change = Change(
        sample.id, sample.cluster, sample.namespace, sample.name, slot.label, slot.image, new_winner or old_winner
    )
    if new_winner:
        impact.left_out_count += 1
        changes = impact.left_out
    else:
        impact.mirrored_count += 1
        changes = impact.mirrored
    if len(changes) < MOST_CHANGES:
        changes.append(change)


def _skip_reason(number: int, deadline: float) -> str:
    """Return why no filter is tried on the image with this number, or an empty string."""
    if number >= MOST_TRIAL_IMAGES:
        return TOO_MANY_IMAGES
    return TOO_SLOW if time.monotonic() > deadline else ""


def _evaluate(compiled: CompiledFilter, data: dict[str, Any], budget: ReviewBudget, deadline: float) -> FilterResult:
    if time.monotonic() > deadline:
        return FilterResult(compiled.name, None, TOO_SLOW)
    try:
        return FilterResult(compiled.name, compiled.matches(data, budget))
    except (FilterEvaluationError, ReviewBudgetError) as error:
        return FilterResult(compiled.name, None, str(error))


def _winner(
    chain: Sequence[CompiledFilter],
    data: dict[str, Any],
    budget: ReviewBudget,
    impact: Impact | None = None,
    candidate: str = "",
) -> str:
    def on_error(name: str, error: Exception) -> None:
        if impact is not None and name == candidate:
            impact.failures += 1
            impact.failure = impact.failure or str(error)

    try:
        return first_match(chain, data, budget, on_error) or ""
    except ReviewBudgetError:
        return BUDGET
