"""Copies that a review asks for: which are due, whether the pod waits for them, and what came of that."""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Final

from mirrors.models import Priority, Trigger
from mirrors.services import MirrorOrder, RequestOutcome
from mirrors.vocabulary.reasons import Reason
from webhook.database.lru_cache import LRUCache
from webhook.database.messages import await_result
from webhook.database.thread import DatabaseThread
from webhook.decision import decision
from webhook.decision.decision import Decision, Knowledge
from webhook.decision.review_limits import ReviewLimits
from webhook.decision.snapshot import Snapshot
from webhook.knowledge.gatherer import KnowledgeGatherer
from webhook.review.admission_review import AdmissionRequest
from webhook.review.copy_requests import PRIORITY, orders_for

ORDER_AGAIN_AFTER: Final = 5.0
"""Seconds in which one process orders the same copy for the same requester once."""

MOST_ORDERED: Final = 200
"""Copies that one review orders; what a pod has beyond that is ordered with the next one."""

ORDER_PATIENCE: Final = 1.0
"""Seconds for which a review under ``always`` waits to hear whether its copies were refused."""


class Ordering:
    """One instance a process."""

    def __init__(self, database: DatabaseThread, gatherer: KnowledgeGatherer) -> None:
        self._database = database
        self._gatherer = gatherer
        self._ordered: LRUCache[MirrorOrder, float] = LRUCache(20_000)

    def order(
        self,
        request: AdmissionRequest,
        undecided: Sequence[Decision],
        known: dict[str, Knowledge],
        snapshot: Snapshot,
        limits: ReviewLimits,
    ) -> dict[str, Knowledge]:
        """Request the copies that are due; what is known of their images after that, by canonical source."""
        if not (limits.may_write and limits.may_ask):
            return {}
        orders = self._orders(request, undecided, known, snapshot)
        if orders and snapshot.waits_for_copies and not snapshot.policy.switched_off:
            return self._wait_for_copies(undecided, orders, known, snapshot, limits)
        if orders and snapshot.policy.swap_policy == "always":
            return self._wait_for_orders(orders, known, limits)
        self._queue(orders)
        return {}

    def refresh(self, request: AdmissionRequest, settled: Sequence[Decision], snapshot: Snapshot) -> None:
        """Have mutable tags compared with their source where that is due."""
        due = (
            d
            for d in settled
            if d.swap
            and decision.wants_refresh(
                d, seconds_since_check=self._gatherer.seconds_since_check(d.key), policy=snapshot.policy
            )
        )
        self._queue(orders_for(itertools.islice(due, MOST_ORDERED), request, Priority.REFRESH, Trigger.REFRESH))

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

    def _queue(self, orders: dict[str, MirrorOrder]) -> None:
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
            self._queue({s: replace(o, priority=Priority.DELAYED) for s, o in orders.items()})
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
            self._queue(orders)
            return {}
        try:
            outcomes = await_result(self._database.order(list(orders.values())), limits.left(ORDER_PATIENCE)) or []
        finally:
            self._gatherer.end_wait()
        return {o.source: replace(known[o.source], obstacle=_obstacle(o)) for o in outcomes if o.problem}


def _obstacle(outcome: RequestOutcome) -> Reason | None:
    known = {"target-name-taken": Reason.TARGET_NAME_TAKEN, "paused": Reason.PAUSED, "quota": Reason.QUOTA}
    return known.get(outcome.problem)
