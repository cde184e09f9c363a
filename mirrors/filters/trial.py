"""Trials of filters before they are saved: on one pod, and on the pods that were sampled recently.

Evaluated by the same code and in the same order as a review does it.
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
"""Images of one pod that filters are tried on; real pods have a few."""

BUDGET: Final = "filter-budget"
"""Represents the filter that decides where the review's steps are used up: its images are kept too."""

TRIAL_SECONDS: Final = 2.0
"""Seconds for all images of a trial: a user waits for the page."""

STEPS: Final = 5_000_000
"""Steps of the interpreter for all samples together, what ``TRIAL_SECONDS`` allow on a fast machine."""

MOST_CHANGES: Final = 200
"""Changed images that are listed; the others are counted."""

SLOT_KINDS: Final = {
    "initContainers": "init container",
    "containers": "container",
    "ephemeralContainers": "ephemeral container",
    "volumes": "image volume",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of one filter for one image; ``matches`` is None where it fails, and ``error`` says why."""

    name: str
    matches: bool | None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Trial:
    """One image of a pod. ``winner`` names the filter that excludes it, or is empty."""

    kind: str
    container: str
    image: str
    answers: Sequence[Answer]
    winner: str


def try_on(pod: Json, namespace: str, chain: Sequence[CompiledFilter], *, deadline: float | None = None) -> list[Trial]:
    """Each filter's answer for each image, in the order in which they are asked.

    After ``deadline`` (monotonic seconds; without one ``TRIAL_SECONDS`` from now) no more images are tried.
    """
    deadline = deadline or time.monotonic() + TRIAL_SECONDS
    seen = pods.in_namespace(pod, namespace) if namespace else dict(pod)
    budget = ReviewBudget()
    trials = []
    for slot in itertools.islice(pods.all_slots(seen), MOST_TRIAL_IMAGES):
        if time.monotonic() > deadline:
            break
        data = {"obj": seen, "container": slot.container}
        # Those behind the winner are never asked by a review, and cost it nothing.
        answers = [_answer(compiled, data, ReviewBudget(), deadline) for compiled in chain]
        winner = _winner(chain, data, budget)
        trials.append(Trial(SLOT_KINDS[slot.pointer.split("/")[2]], slot.name, slot.image, answers, winner))
    return trials


@dataclass(frozen=True, slots=True)
class Sampled:
    """A sampled admission: its pod, and the reason of each image by container and image."""

    id: int
    cluster: str
    namespace: str
    name: str
    pod: Json
    reasons: dict[tuple[str, str], str]


@dataclass(frozen=True, slots=True)
class Change:
    """An image that would be decided otherwise. ``by`` names the filter that leaves, or left, it alone."""

    sample: int
    cluster: str
    namespace: str
    pod: str
    container: str
    image: str
    by: str


@dataclass(slots=True)
class Impact:
    """The effect of a change of filters on sampled pods. ``is_cut``: time or steps did not suffice for all."""

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
    samples: Iterable[Sampled],
    *,
    chains: Callable[[str], tuple[Sequence[CompiledFilter], Sequence[CompiledFilter]]],
    candidate: str,
    seconds: float = TRIAL_SECONDS,
) -> Impact:
    """Decide each sample's images by both chains of its cluster, before and after, and compare. ``candidate`` names the
    filter whose failures count."""
    impact = Impact()
    deadline, steps = time.monotonic() + seconds, STEPS
    for sample in samples:
        old, new = ReviewBudget(), ReviewBudget()
        before, after = chains(sample.cluster)
        seen = pods.in_namespace(sample.pod, sample.namespace)
        for slot in itertools.islice(pods.all_slots(seen), MOST_TRIAL_IMAGES):
            if sample.reasons.get((slot.label, slot.image), "unchanged") in BEFORE_FILTERS:
                continue
            if time.monotonic() > deadline or steps < 0:
                impact.is_cut = True
                return impact
            left = old.remaining + new.remaining
            data = {"obj": seen, "container": slot.container}
            was = _winner(before, data, old)
            _compare(impact, sample, slot, was, _winner(after, data, new, impact, candidate))
            steps -= left - old.remaining - new.remaining
        impact.pods += 1
    return impact


def _compare(impact: Impact, sample: Sampled, slot: ImageSlot, was: str, now: str) -> None:
    impact.images += 1
    if bool(was) == bool(now):
        return
    change = Change(sample.id, sample.cluster, sample.namespace, sample.name, slot.label, slot.image, now or was)
    if now:
        impact.left_out_count += 1
        changes = impact.left_out
    else:
        impact.mirrored_count += 1
        changes = impact.mirrored
    if len(changes) < MOST_CHANGES:
        changes.append(change)


def _answer(compiled: CompiledFilter, data: dict[str, Any], budget: ReviewBudget, deadline: float) -> Answer:
    if time.monotonic() > deadline:
        return Answer(compiled.name, None, "not evaluated: these filters take too long on this pod")
    try:
        return Answer(compiled.name, compiled.matches(data, budget))
    except (FilterEvaluationError, ReviewBudgetError) as error:
        return Answer(compiled.name, None, str(error))


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
