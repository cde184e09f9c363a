"""One review from request to answer: look at the images, learn what is known, decide, order copies, patch."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

import structlog

from mirrors.filters import ReviewBudget
from mirrors.kubernetes.placement import platforms_of
from mirrors.kubernetes.pods import ImageSlot
from mirrors.models import Priority, Trigger
from mirrors.services import MirrorOrder, RequestOutcome
from mirrors.vocabulary.reasons import Reason
from swapper_project.process import metrics
from webhook.database.lru_cache import LRUCache
from webhook.database.messages import await_result
from webhook.database.thread import DatabaseThread
from webhook.decision import decision, patch
from webhook.decision.decision import Decision, Knowledge
from webhook.decision.review_limits import ReviewLimits
from webhook.decision.snapshot import Snapshot, Snapshots
from webhook.knowledge.gatherer import KnowledgeGatherer
from webhook.review import admission_review, kubectl_messages
from webhook.review.admission_review import AdmissionRequest
from webhook.review.copy_requests import PRIORITY, orders_for
from webhook.review.guard import Guard
from webhook.review.recording import Notes

log = structlog.get_logger(__name__)

ORDER_AGAIN_AFTER = 5.0
"""Seconds in which one process orders the same copy for the same requester once."""


MOST_IMAGES = 1_000
"""Images of one pod that a review looks at. Each costs time that other pods wait for; real pods have a few."""

SHOWN_OF_THE_REST = 20

MOST_ORDERED = 200
"""Copies that one review orders; what a pod has beyond that comes with the next one."""

ORDER_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a review came to."""

    decisions: Sequence[Decision]
    patch: list[patch.Operation]
    warnings: list[str]
    denied: str = ""
    """Why the pod is not admitted at all."""
    unlisted: int = 0
    """Images beyond those of ``decisions``; all of them are kept, as too many."""


class Reviewer:
    """Decides reviews; one instance a process."""

    def __init__(self, *, snapshots: Snapshots, database: DatabaseThread, gatherer: KnowledgeGatherer) -> None:
        self._snapshots = snapshots
        self._database = database
        self._gatherer = gatherer
        self._guard = Guard(database, gatherer)
        self._notes = Notes(database.pending)
        self._ordered: LRUCache[MirrorOrder, float] = LRUCache(20_000)

    def review(self, request: AdmissionRequest, limits: ReviewLimits) -> Outcome:
        snapshot = self._snapshots.current
        slots = admission_review.image_slots(request)
        looked_at = list(itertools.islice(slots, MOST_IMAGES))
        if not looked_at:
            return Outcome([], [], [])
        decisions = self._decide(request, looked_at, snapshot, limits)
        operations = patch.operations(
            decisions, pod=request.obj, policy=snapshot.policy, is_subresource=bool(request.sub_resource)
        )
        # The rest is counted, and a few of it stand for all.
        decisions += [Decision(slot, Reason.TOO_MANY_IMAGES) for slot in itertools.islice(slots, SHOWN_OF_THE_REST)]
        unlisted = admission_review.number_of_images(request) - len(decisions) if len(decisions) > MOST_IMAGES else 0
        if limits.may_write:
            self._notes.take(request, decisions, unlisted)
        denied = kubectl_messages.denial(decisions, snapshot)
        warnings = kubectl_messages.warnings_of(decisions, unlisted)
        return Outcome(decisions, [] if denied else operations, warnings, denied, unlisted)

    def _decide(
        self, request: AdmissionRequest, slots: Sequence[ImageSlot], snapshot: Snapshot, limits: ReviewLimits
    ) -> list[Decision]:
        classified = self._classify(request, slots, snapshot, limits)
        if snapshot.config.platforms:
            limits = replace(limits, platforms=platforms_of(request.obj))
        undecided = [d for d in classified if decision.is_open(d)]
        known = self._gatherer.gather(undecided, snapshot, limits)
        orders = self._orders(request, undecided, known, snapshot) if limits.may_write and limits.may_ask else {}
        if orders and snapshot.waits_for_copies and not snapshot.policy.switched_off:
            known |= self._wait_for_copies(undecided, orders, known, snapshot, limits)
        elif orders and snapshot.policy.swap_policy == "always":
            known |= self._wait_for_orders(orders, known, limits)
        elif orders:
            self._order(orders)
        barred = self._guard.barred(undecided, known, snapshot, limits)
        known |= {key: replace(known[key], barred=True) for key in barred}
        classified = self._guard.look(classified, snapshot, limits)
        settled = [decision.settle(d, known[d.key], snapshot.policy) if decision.is_open(d) else d for d in classified]
        if limits.may_write and limits.may_ask:
            self._refresh(request, settled, snapshot)
        return settled

    def _classify(
        self, request: AdmissionRequest, slots: Sequence[ImageSlot], snapshot: Snapshot, limits: ReviewLimits
    ) -> list[Decision]:
        pod = admission_review.filter_view(request)
        kept = decision.untouchable(request.obj, snapshot.policy)
        budget = ReviewBudget()

        def on_filter_error(name: str, error: Exception) -> None:
            if limits.may_write:
                metrics.FILTER_ERRORS.labels(name).inc()
            log.warning("A filter failed on this image and is skipped", filter=name, error=str(error), uid=request.uid)

        return [
            decision.classify(
                slot,
                policy=snapshot.policy,
                pod=pod,
                kept=kept,
                budget=budget,
                on_filter_error=on_filter_error,
            )
            for slot in slots
        ]

    def _orders(
        self,
        request: AdmissionRequest,
        undecided: Sequence[Decision],
        known: dict[str, Knowledge],
        snapshot: Snapshot,
    ) -> dict[str, MirrorOrder]:
        """Copies that are due, by canonical source."""
        priority = PRIORITY.get(snapshot.policy.copy_policy, Priority.DELAYED)
        wanted = (d for d in undecided if decision.wants_copy(d, known[d.key], snapshot.policy))
        return orders_for(itertools.islice(wanted, MOST_ORDERED), request, priority, Trigger.ADMISSION)

    def _order(self, orders: dict[str, MirrorOrder]) -> None:
        """Queue copies without waiting for them."""
        now = time.monotonic()
        due = [o for o in orders.values() if now - (self._ordered.get(o) or 0.0) > ORDER_AGAIN_AFTER]
        for order in due:
            self._ordered.put(order, now)
        if due:
            self._database.order(due)

    def _wait_for_copies(
        self,
        undecided: Sequence[Decision],
        orders: dict[str, MirrorOrder],
        known: dict[str, Knowledge],
        snapshot: Snapshot,
        limits: ReviewLimits,
    ) -> dict[str, Knowledge]:
        """Order copies and wait for all of them at once; what is copied in time is known as such."""
        if not self._gatherer.try_wait():
            self._order({s: replace(o, priority=Priority.DELAYED) for s, o in orders.items()})
            return {s: replace(known[s], busy=True) for s in orders}
        try:
            outcomes = await_result(self._database.order(list(orders.values())), limits.left()) or []
            waits: dict[str, Future[str]] = {
                outcome.source: self._database.wait_job(outcome.job_id) for outcome in outcomes if outcome.job_id
            }
            ended = {source: await_result(wait, limits.left()) for source, wait in waits.items()}
            copied = {s: orders[s].target for s, status in ended.items() if status == "succeeded"}
            await_result(self._database.lookup(copied), limits.left())
        finally:
            self._gatherer.end_wait()
        learnt = {o.source: replace(known[o.source], obstacle=_obstacle(o)) for o in outcomes if o.problem}
        again = self._gatherer.gather([d for d in undecided if d.key in copied], snapshot, limits)
        return learnt | {source: replace(knowledge, copied=True) for source, knowledge in again.items()}

    def _wait_for_orders(
        self, orders: dict[str, MirrorOrder], known: dict[str, Knowledge], limits: ReviewLimits
    ) -> dict[str, Knowledge]:
        """Under ``always`` a pod is swapped before its image is there; not to what nobody will bring."""
        if not self._gatherer.try_wait():
            self._order(orders)
            return {}
        try:
            outcomes = await_result(self._database.order(list(orders.values())), limits.left(ORDER_PATIENCE)) or []
        finally:
            self._gatherer.end_wait()
        return {o.source: replace(known[o.source], obstacle=_obstacle(o)) for o in outcomes if o.problem}

    def _refresh(self, request: AdmissionRequest, settled: Sequence[Decision], snapshot: Snapshot) -> None:
        """Have mutable tags compared with their source where that is due."""
        due = (
            d
            for d in settled
            if d.swap
            and decision.wants_refresh(
                d, seconds_since_check=self._gatherer.seconds_since_check(d.key), policy=snapshot.policy
            )
        )
        orders = orders_for(itertools.islice(due, MOST_ORDERED), request, Priority.REFRESH, Trigger.REFRESH)
        if orders:
            self._order(orders)


def _obstacle(outcome: RequestOutcome) -> Reason | None:
    known = {"target-name-taken": Reason.TARGET_NAME_TAKEN, "paused": Reason.PAUSED, "quota": Reason.QUOTA}
    return known.get(outcome.problem)
