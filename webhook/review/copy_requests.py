"""The copies that a review requests: which ones, for which requester, whether the review waits, and the outcomes."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Final

from mirrors.kubernetes.objects.workloads import workload_of
from mirrors.models import Priority, Trigger
from mirrors.services import RequestedCopy, RequestOutcome
from mirrors.vocabulary.reasons import Reason
from webhook.database.lru_cache import LRUCache
from webhook.database.thread import DatabaseThread
from webhook.database.thread_messages import await_result
from webhook.decision import decision
from webhook.decision.decision import Decision, ImageFacts
from webhook.decision.review_limits import ReviewLimits
from webhook.decision.snapshot import Snapshot
from webhook.knowledge.gatherer import FactsGatherer
from webhook.review.admission_review import AdmissionRequest, namespace_of, valid_name

PRIORITY: Final = {"delayed": Priority.DELAYED, "immediate": Priority.IMMEDIATE, "force": Priority.FORCE}

MOST_SECRET_NAMES: Final = 20
"""The maximum number of names of a pod's pull secrets in a request; pods usually have one or two."""

MOST_SECRET_CHARACTERS: Final = 2_000
"""The maximum length of the names of a request's pull secrets together: the limit of the column."""

REQUEST_AGAIN_AFTER: Final = 5.0
"""Seconds for which one process does not repeat a request for the same copy by the same requester."""

MOST_REQUESTED_BY_REVIEW: Final = 200
"""The maximum number of copies that one review requests; further images of the pod are requested by the next review."""

REMEMBERED_REQUESTS: Final = 20_000
"""The maximum number of remembered requests (a few MB): more than a process gets in ``REQUEST_AGAIN_AFTER`` seconds."""

OUTCOME_TIMEOUT: Final = 1.0
"""The maximum time in seconds that a review under ``always`` waits to learn whether its copies were refused."""


class CopyRequester:
    """Requests copies for reviews; one instance per process."""

    def __init__(self, database: DatabaseThread, gatherer: FactsGatherer) -> None:
        self._database = database
        self._gatherer = gatherer
        self._requested: LRUCache[RequestedCopy, float] = LRUCache(REMEMBERED_REQUESTS)

    def request(
        self,
        request: AdmissionRequest,
        undecided: Sequence[Decision],
        facts: dict[str, ImageFacts],
        snapshot: Snapshot,
        limits: ReviewLimits,
    ) -> dict[str, ImageFacts]:
        """Request the copies that are due. Return the facts about their images that are known after that, by canonical
        source."""
        if not (limits.can_record and limits.can_query):
            return {}
        requests = self._due(request, undecided, facts, snapshot)
        if requests and snapshot.waits_for_copies and not snapshot.policy.switched_off:
            return self._wait_for_copies(undecided, requests, facts, snapshot, limits)
        if requests and snapshot.policy.swap_policy == "always":
            return self._wait_for_outcomes(requests, facts, limits)
        self._queue(requests)
        return {}

    def refresh(self, request: AdmissionRequest, settled: Sequence[Decision], snapshot: Snapshot) -> None:
        """Request jobs that compare source and target of the swapped images for which that is due."""
        due = (d for d in settled if decision.needs_refresh(d, snapshot.policy))
        self._queue(
            requests_for(
                itertools.islice(due, MOST_REQUESTED_BY_REVIEW),
                request,
                Priority.REFRESH,
                Trigger.REFRESH,
                cluster=snapshot.config.cluster_name,
            )
        )

    def _due(
        self,
        request: AdmissionRequest,
        undecided: Sequence[Decision],
        facts: dict[str, ImageFacts],
        snapshot: Snapshot,
    ) -> dict[str, RequestedCopy]:
        """Return requests for the copies that are due, by canonical source."""
        priority = PRIORITY.get(snapshot.policy.copy_policy, Priority.DELAYED)
        due = (d for d in undecided if decision.needs_copy(d, facts[d.key], snapshot.policy))
        return requests_for(
            itertools.islice(due, MOST_REQUESTED_BY_REVIEW),
            request,
            priority,
            Trigger.ADMISSION,
            cluster=snapshot.config.cluster_name,
        )

    def _queue(self, requests: dict[str, RequestedCopy]) -> None:
        """Queue copies without waiting for them."""
        now = time.monotonic()
        due = [r for r in requests.values() if now - (self._requested.get(r) or 0.0) > REQUEST_AGAIN_AFTER]
        for requested in due:
            self._requested.put(requested, now)
        if due:
            self._database.request_copies(due)

    def _wait_for_copies(
        self,
        undecided: Sequence[Decision],
        requests: dict[str, RequestedCopy],
        facts: dict[str, ImageFacts],
        snapshot: Snapshot,
        limits: ReviewLimits,
    ) -> dict[str, ImageFacts]:
        """Request copies and wait for all of them concurrently. Images that are copied in time are marked as copied."""
        if not self._gatherer.acquire_slot():
            self._queue({s: replace(r, priority=Priority.DELAYED) for s, r in requests.items()})
            return {s: replace(facts[s], busy=True) for s in requests}
        try:
            outcomes = self._request(requests, limits.remaining())
            waits: dict[str, Future[str]] = {
                outcome.source: self._database.wait_job(outcome.job_id) for outcome in outcomes if outcome.job_id
            }
            states = {source: await_result(wait, limits.remaining()) for source, wait in waits.items()}
            copied = {s: requests[s].target for s, status in states.items() if status == "succeeded"}
            await_result(self._database.lookup(copied), limits.remaining())
        finally:
            self._gatherer.release_slot()
        refused = {o.source: replace(facts[o.source], obstacle=_obstacle(o)) for o in outcomes if o.problem}
        updated = self._gatherer.gather([d for d in undecided if d.key in copied], snapshot, limits)
        return refused | {source: replace(image_facts, copied=True) for source, image_facts in updated.items()}

    def _wait_for_outcomes(
        self, requests: dict[str, RequestedCopy], facts: dict[str, ImageFacts], limits: ReviewLimits
    ) -> dict[str, ImageFacts]:
        """Request copies and wait for the outcomes of the requests, not for the copies: under ``always`` a pod is
        swapped before its image is at the target, but not if the copy was refused."""
        if not self._gatherer.acquire_slot():
            self._queue(requests)
            return {}
        try:
            outcomes = self._request(requests, limits.remaining(OUTCOME_TIMEOUT))
        finally:
            self._gatherer.release_slot()
        return {o.source: replace(facts[o.source], obstacle=_obstacle(o)) for o in outcomes if o.problem}

    def _request(self, requests: dict[str, RequestedCopy], seconds: float) -> list[RequestOutcome]:
        """Return the outcomes of the requests; an empty list if they are not available within ``seconds``."""
        return await_result(self._database.request_copies(list(requests.values())), seconds) or []


def requests_for(
    decisions: Iterable[Decision], request: AdmissionRequest, priority: int, trigger: str, *, cluster: str
) -> dict[str, RequestedCopy]:
    """Return a request for the image of each decision, by canonical source."""
    targets = {d.key: str(d.target) for d in decisions}
    if not targets:
        return {}
    spec = request.obj.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    secrets = spec.get("imagePullSecrets")
    names = {valid_name(s.get("name")) for s in secrets if isinstance(s, dict)} if isinstance(secrets, list) else set()
    kind, name = workload_of(request.obj)
    create_request = partial(
        RequestedCopy,
        trigger=trigger,
        priority=priority,
        cluster=cluster,
        namespace=namespace_of(request),
        service_account=valid_name(spec.get("serviceAccountName")),
        secret_names=_limit_total_length(sorted(names - {""})[:MOST_SECRET_NAMES]),
        workload=f"{kind}/{name}"[:253] if name else "",
    )
    return {source: create_request(source=source, target=target) for source, target in targets.items()}


def _limit_total_length(names: list[str]) -> tuple[str, ...]:
    lengths = itertools.accumulate(len(name) + 1 for name in names)
    return tuple(name for name, length in zip(names, lengths, strict=True) if length <= MOST_SECRET_CHARACTERS)


def _obstacle(outcome: RequestOutcome) -> Reason | None:
    reasons = {"target-name-taken": Reason.TARGET_NAME_TAKEN, "paused": Reason.PAUSED, "quota": Reason.QUOTA}
    return reasons.get(outcome.problem)
