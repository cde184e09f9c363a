"""One review from request to answer: look at the images, learn what is known, decide, order copies, patch."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace

import structlog

from mirrors import pods
from mirrors.filters import ReviewBudget
from mirrors.models import Priority, Trigger
from mirrors.pods import ImageSlot
from mirrors.reasons import Reason
from mirrors.services import DecisionKey, MirrorOrder, OrderOutcome, UseKey
from swapper_project import metrics
from webhook import admission, decision, patch, words
from webhook.admission import AdmissionRequest
from webhook.decision import Decision, Knowledge
from webhook.guard import Guard
from webhook.knowledge import Knowing
from webhook.memory import BoundedMap
from webhook.orders import PRIORITY, namespace_of, order_for
from webhook.placement import platforms_of
from webhook.sampling import Sampler, has_news, sample_of
from webhook.snapshot import Snapshot, Snapshots
from webhook.store import Store
from webhook.terms import Terms, await_result
from webhook.workloads import workload_of

log = structlog.get_logger(__name__)

ORDER_AGAIN_AFTER = 5.0
"""Seconds in which one process orders the same copy for the same requester once."""


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


class Reviewer:
    """Decides reviews; one instance a process."""

    def __init__(self, *, snapshots: Snapshots, store: Store, knowing: Knowing) -> None:
        self._snapshots = snapshots
        self._store = store
        self._knowing = knowing
        self._guard = Guard(store, knowing)
        self._sampler = Sampler()
        self._ordered: BoundedMap[MirrorOrder, float] = BoundedMap(20_000)

    def review(self, request: AdmissionRequest, terms: Terms) -> Outcome:
        snapshot = self._snapshots.current
        slots = admission.image_slots(request)
        if not slots:
            return Outcome([], [], [])
        decisions = self._decide(request, slots, snapshot, terms)
        operations = patch.operations(
            decisions,
            pod=request.obj,
            annotate=snapshot.policy.annotate,
            originals=_still_true(request, snapshot),
        )
        if terms.may_write:
            self._note(request, decisions)
        denied = words.denial(decisions, snapshot)
        return Outcome(decisions, [] if denied else operations, words.warnings_of(decisions), denied)

    def _decide(
        self, request: AdmissionRequest, slots: Sequence[ImageSlot], snapshot: Snapshot, terms: Terms
    ) -> list[Decision]:
        classified = self._classify(request, slots, snapshot, terms)
        if snapshot.config.platforms:
            terms = replace(terms, platforms=platforms_of(request.obj))
        open_ = [d for d in classified if decision.is_open(d)]
        known = self._knowing.gather(open_, snapshot, terms)
        orders = self._orders(request, open_, known, snapshot) if terms.may_write and terms.may_ask else {}
        if orders and snapshot.waits_for_copies and not snapshot.policy.switched_off:
            known |= self._wait_for_copies(open_, orders, known, snapshot, terms)
        elif orders and snapshot.policy.swap_policy == "always":
            known |= self._wait_for_orders(orders, known, terms)
        elif orders:
            self._order(orders)
        barred = [d.key for d in open_ if self._guard.bars(d, known[d.key], snapshot, terms)]
        known |= {key: replace(known[key], barred=True) for key in barred}
        classified = [self._guard.look(d, snapshot, terms) for d in classified]
        settled = [decision.settle(d, known[d.key], snapshot.policy) if decision.is_open(d) else d for d in classified]
        if terms.may_write and terms.may_ask:
            self._refresh(request, settled, snapshot)
        return settled

    def _classify(
        self, request: AdmissionRequest, slots: Sequence[ImageSlot], snapshot: Snapshot, terms: Terms
    ) -> list[Decision]:
        pod = admission.filter_view(request)
        opted_out = pods.opted_out(request.obj)
        budget = ReviewBudget()

        def on_filter_error(name: str, error: Exception) -> None:
            if terms.may_write:
                metrics.FILTER_ERRORS.labels(name).inc()
            log.warning("A filter failed on this image and is skipped", filter=name, error=str(error), uid=request.uid)

        return [
            decision.classify(
                slot,
                policy=snapshot.policy,
                pod=pod,
                opted_out=opted_out,
                budget=budget,
                on_filter_error=on_filter_error,
            )
            for slot in slots
        ]

    def _orders(
        self,
        request: AdmissionRequest,
        open_: Sequence[Decision],
        known: dict[str, Knowledge],
        snapshot: Snapshot,
    ) -> dict[str, MirrorOrder]:
        """Copies that are due, by canonical source."""
        priority = PRIORITY.get(snapshot.policy.copy_policy, Priority.DELAYED)
        wanted = {d.key: d for d in open_ if decision.wants_copy(d, known[d.key], snapshot.policy)}
        return {
            key: order_for(d, request, priority, Trigger.ADMISSION)
            for key, d in itertools.islice(wanted.items(), MOST_ORDERED)
        }

    def _order(self, orders: dict[str, MirrorOrder]) -> None:
        """Queue copies without waiting for them."""
        now = time.monotonic()
        due = [o for o in orders.values() if now - (self._ordered.get(o) or 0.0) > ORDER_AGAIN_AFTER]
        for order in due:
            self._ordered.put(order, now)
        if due:
            self._store.order(due)

    def _wait_for_copies(
        self,
        open_: Sequence[Decision],
        orders: dict[str, MirrorOrder],
        known: dict[str, Knowledge],
        snapshot: Snapshot,
        terms: Terms,
    ) -> dict[str, Knowledge]:
        """Order copies and wait for all of them at once; what is copied in time is known as such."""
        if not self._knowing.try_wait():
            self._order({s: replace(o, priority=Priority.DELAYED) for s, o in orders.items()})
            return {s: replace(known[s], busy=True) for s in orders}
        try:
            outcomes = await_result(self._store.order(list(orders.values())), terms.left()) or []
            waits: dict[str, Future[str]] = {
                outcome.source: self._store.wait_job(outcome.job_id) for outcome in outcomes if outcome.job_id
            }
            ended = {source: await_result(wait, terms.left()) for source, wait in waits.items()}
            copied = {s: orders[s].target for s, status in ended.items() if status == "succeeded"}
            await_result(self._store.lookup(copied), terms.left())
        finally:
            self._knowing.end_wait()
        learnt = {o.source: replace(known[o.source], obstacle=_obstacle(o)) for o in outcomes if o.problem}
        again = self._knowing.gather([d for d in open_ if d.key in copied], snapshot, terms)
        return learnt | {source: replace(knowledge, copied=True) for source, knowledge in again.items()}

    def _wait_for_orders(
        self, orders: dict[str, MirrorOrder], known: dict[str, Knowledge], terms: Terms
    ) -> dict[str, Knowledge]:
        """Under ``always`` a pod is swapped before its image is there; not to what nobody will bring."""
        if not self._knowing.try_wait():
            self._order(orders)
            return {}
        try:
            outcomes = await_result(self._store.order(list(orders.values())), terms.left(ORDER_PATIENCE)) or []
        finally:
            self._knowing.end_wait()
        return {o.source: replace(known[o.source], obstacle=_obstacle(o)) for o in outcomes if o.problem}

    def _refresh(self, request: AdmissionRequest, settled: Sequence[Decision], snapshot: Snapshot) -> None:
        """Have mutable tags compared with their source where that is due."""
        due = {
            d.key: order_for(d, request, Priority.REFRESH, Trigger.REFRESH)
            for d in settled
            if d.swap
            and decision.wants_refresh(
                d, seconds_since_check=self._knowing.seconds_since_check(d.key), policy=snapshot.policy
            )
        }
        if due:
            self._order(due)

    def _note(self, request: AdmissionRequest, decisions: Sequence[Decision]) -> None:
        """Count decisions and uses for metrics and dashboard; the store's thread writes them later."""
        hour, namespace = DecisionKey.this_hour(), namespace_of(request)
        workload = workload_of(request.obj)
        counts: Counter[DecisionKey] = Counter()
        uses: set[UseKey] = set()
        for d in decisions:
            host = d.source.registry if d.source else ""
            counts[DecisionKey(hour, namespace, host, "swap" if d.swap else "keep", d.reason.value, d.filter)] += 1
            if d.known is not None and d.known.mapping_id is not None:
                uses.add(UseKey(d.known.mapping_id, namespace, *workload))
        for key, images in counts.items():
            metrics.IMAGES.labels(key.decision, key.reason).inc(images)
        self._store.noticed.review(counts, uses)
        if has_news(decisions) and self._sampler.takes(namespace, workload, request.name):
            sample = sample_of(request, workload, decisions)
            if sample is not None:
                self._store.noticed.sample(sample)


def _obstacle(outcome: OrderOutcome) -> Reason | None:
    known = {"target-name-taken": Reason.TARGET_NAME_TAKEN, "paused": Reason.PAUSED, "quota": Reason.QUOTA}
    return known.get(outcome.problem)


def _still_true(request: AdmissionRequest, snapshot: Snapshot) -> dict[str, str]:
    """Entries of an earlier pass whose containers still run what they map to."""
    earlier = patch.earlier_originals(request.obj)
    if not earlier:
        return {}
    target = snapshot.policy.target
    kept: dict[str, str] = {}
    for slot in pods.all_slots(request.obj):
        original = earlier.get(slot.label)
        if original is not None and decision.swapped_reference(original, target) == slot.image:
            kept[slot.label] = original
    return kept
