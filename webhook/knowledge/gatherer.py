"""Gathers the facts about the images of one review: from memory, else by queries within the review's deadline.

A review whose images are all in memory does not wait. At most half of a process's threads can wait at the same time;
other reviews are decided immediately from the facts in memory.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Final, TypeVar

from mirrors.selectors.images.mapping_snapshot import MappingSnapshot
from mirrors.services import TargetAnswer
from mirrors.vocabulary.reasons import Reason
from swapper_project.process.monitoring import metrics
from webhook.database.lru_cache import RecentMaximum
from webhook.database.mapping_cache import CachedMapping
from webhook.database.thread import DatabaseThread
from webhook.database.thread_messages import await_result
from webhook.decision.decision import Decision, ImageFacts
from webhook.decision.review_limits import ReviewLimits
from webhook.decision.snapshot import Snapshot
from webhook.knowledge import from_rows
from webhook.knowledge.registry_prober import HEAD_TIMEOUT, ProbeResult, RegistryProber

T = TypeVar("T")

MOST_CHECKED_IMAGES: Final = 100
"""The maximum number of images of one review that are checked at registries; further images are kept as ``busy``."""

UNSLOTTED_WAIT: Final = 0.5
"""The maximum time in seconds that a review waits for the database without one of the limited slots. After a start, or
during a roll-out of images that are not in memory, many reviews query the database, which responds in a fraction of
this time."""


class NoSlotError(Exception):
    """All slots for waiting reviews are in use."""


class FactsGatherer:
    """Gathers facts about images; one instance per process. ``slots`` is the number of slots for waiting reviews."""

    def __init__(self, *, database: DatabaseThread, prober: RegistryProber, slots: int) -> None:
        self._database = database
        self._prober = prober
        self._slots = threading.BoundedSemaphore(slots)
        self.oldest_answer = RecentMaximum()
        """The age of the oldest answer past ``maxAge`` that was used, in seconds."""

    def acquire_slot(self) -> bool:
        """Acquire a slot for a waiting review, without blocking. Return whether it was acquired; release it with
        ``release_slot``."""
        has_slot = self._slots.acquire(blocking=False)
        if has_slot:
            metrics.WAITERS.inc()
        return has_slot

    def release_slot(self) -> None:
        metrics.WAITERS.dec()
        self._slots.release()

    def await_database(self, future: Future[T], limits: ReviewLimits) -> T | None:
        """Return the result of a lookup: wait for a moment without a slot, and after that with one. None if the result
        is not available in time, or the database is unavailable. Raises NoSlotError if all slots are in use."""
        result = await_result(future, limits.remaining(UNSLOTTED_WAIT))
        if future.done():
            return result
        if not self.acquire_slot():
            raise NoSlotError
        try:
            return await_result(future, limits.remaining(HEAD_TIMEOUT - UNSLOTTED_WAIT))
        finally:
            self.release_slot()

    def gather(self, decisions: Iterable[Decision], snapshot: Snapshot, limits: ReviewLimits) -> dict[str, ImageFacts]:
        """Return the facts about the images of open decisions, by canonical source."""
        by_source = {decision.key: decision for decision in decisions}
        rows = {source: row for source in by_source if (row := self._database.row(source)) is not None}
        missing = {source: str(decision.target) for source, decision in by_source.items() if source not in rows}
        late = set(self._look_up(missing, rows, limits)) if missing and limits.can_query else set()
        facts = {s: from_rows.facts_of_row(by_source[s], rows.get(s), snapshot, limits) for s in by_source}
        for source in missing.keys() & rows.keys():
            metrics.EXISTENCE_LOOKUPS.labels(facts[source].existence, "database").inc()
        if self._database.is_over_quota(limits.namespace):
            # Images that are new to this namespace are looked up in the database, but not checked at registries.
            facts |= {s: from_rows.out_of_quota(facts[s], row) for s, row in rows.items()}
        uncertain = [
            source for source in by_source if from_rows.is_uncertain(rows.get(source), facts[source], snapshot)
        ]
        if uncertain and limits.can_query:
            undecided = {source: by_source[source] for source in uncertain if source not in late}
            facts |= self._check_uncertain(undecided, rows, facts, snapshot, limits)
            # The result arrives too late for this review, but in time for the next one.
            facts |= {source: replace(facts[source], busy=True) for source in late}
        for source, image_facts in facts.items():
            if image_facts.stale and limits.can_query and limits.can_record:
                row = self._database.row(source)
                if row is not None and row.mapping is not None:
                    self.oldest_answer.record(time.time() - row.mapping.verified_at)
                self._verify_later(by_source[source], snapshot)
        return facts

    def _look_up(
        self, missing: Mapping[str, str], rows: dict[str, CachedMapping], limits: ReviewLimits
    ) -> Iterable[str]:
        """Look up the missing rows in the database, and add them to ``rows``. Return the sources that could not be
        looked up because all slots are in use."""
        try:
            found = self.await_database(self._database.lookup(missing), limits) or {}
        except NoSlotError:
            return missing
        rows |= {source: CachedMapping(found.get(source)) for source in missing}
        return ()

    def _check_uncertain(
        self,
        decisions: Mapping[str, Decision],
        rows: Mapping[str, CachedMapping],
        facts: Mapping[str, ImageFacts],
        snapshot: Snapshot,
        limits: ReviewLimits,
    ) -> dict[str, ImageFacts]:
        """Check the images at the registries if a slot is available; else start checks for the next review."""
        checked = dict(itertools.islice(decisions.items(), MOST_CHECKED_IMAGES))
        busy = {source: replace(facts[source], busy=True) for source in decisions}
        if not checked or not self.acquire_slot():
            for decision in checked.values():
                if limits.can_record:
                    self._verify_later(decision, snapshot)
            return busy
        try:
            return busy | self._check_registries(checked, rows, facts, snapshot, limits)
        finally:
            self.release_slot()

    def _check_registries(
        self,
        decisions: Mapping[str, Decision],
        rows: Mapping[str, CachedMapping],
        facts: Mapping[str, ImageFacts],
        snapshot: Snapshot,
        limits: ReviewLimits,
    ) -> dict[str, ImageFacts]:
        """Check the images at the target, and whether the sources of those that are present can be read anonymously."""
        facts = {source: facts[source] for source in decisions}
        heads = {source: self._head(decision, snapshot) for source, decision in decisions.items()}
        head_limits = replace(limits, deadline=min(limits.deadline, time.monotonic() + HEAD_TIMEOUT))
        results = {source: await_result(head, head_limits.remaining()) for source, head in heads.items()}
        for source, result in results.items():
            facts[source] = self._with_result(facts[source], rows[source], result, limits)
        # Sources are queried only for mirrored images, because a HEAD request counts against their limits too.
        present = [source for source in decisions if facts[source].existence == "present"]
        probes = {source: self._probe(decisions[source], facts[source], snapshot) for source in present}
        for source, probe in probes.items():
            probe_result = await_result(probe, head_limits.remaining())
            if probe_result is not None and probe_result.state == "present":
                facts[source] = replace(facts[source], access="anonymous")
        if limits.can_record:
            for source, result in results.items():
                self._record_answer(decisions[source], rows[source].mapping, facts[source], result, snapshot)
        return facts

    def _record_answer(
        self,
        decision: Decision,
        row: MappingSnapshot | None,
        facts: ImageFacts,
        result: ProbeResult | None,
        snapshot: Snapshot,
    ) -> None:
        """Have the target's answer written to the database if it is new. An absent image without a row gets none."""
        if result is None or result.state == "unknown" or (row is None and result.state == "absent"):
            return
        if row is None or result.state != row.existence or from_rows.is_too_old(row, snapshot):
            access = "anonymous" if facts.access == "anonymous" else ""
            answer = TargetAnswer(str(decision.target), result.state, result.digest, result.requested_at, access)
            self._database.pending.add_answer(decision.key, answer)

    def _head(self, decision: Decision, snapshot: Snapshot, *, later: bool = False) -> Future[ProbeResult] | None:
        if snapshot.target_access is None or decision.target is None:
            return None
        row = self._database.row(decision.key)
        was_present = row is not None and row.mapping is not None and row.mapping.existence == "present"
        return self._prober.check(decision.target, snapshot.target_access, later=later, confirm=was_present)

    def _probe(self, decision: Decision, facts: ImageFacts, snapshot: Snapshot) -> Future[ProbeResult] | None:
        """Check whether the source can be read anonymously; None if that is known or irrelevant."""
        if facts.access != "unknown" or snapshot.policy.private_images == "mirror" or decision.source is None:
            return None
        return self._prober.check(decision.source, snapshot.sources.anonymous_access_for(decision.source))

    def _with_result(
        self, facts: ImageFacts, row: CachedMapping, result: ProbeResult | None, limits: ReviewLimits
    ) -> ImageFacts:
        if result is None or result.state == "unknown":
            # There is no result. If the registry is unavailable, the previous answer counts if it was ``present``.
            if facts.existence == "present" and not (result is None or result.unavailable):
                return replace(facts, existence="unknown", stale=False)
            return facts if facts.existence == "present" else replace(facts, existence="unknown")
        if row.mapping is not None and self._is_tampered(row.mapping, result, limits):
            return replace(facts, existence=result.state, stale=False, obstacle=Reason.TAMPERED)
        return replace(facts, existence=result.state, stale=False)

    def _is_tampered(self, row: MappingSnapshot, result: ProbeResult, limits: ReviewLimits) -> bool:
        """Return whether the target has another digest than the one that was written, and no copy that has just
        finished explains it."""
        if not from_rows.digest_differs(row, result):
            return False
        found = await_result(self._database.lookup({row.source: row.target}), limits.remaining(HEAD_TIMEOUT)) or {}
        return from_rows.digest_differs(found.get(row.source, row), result)

    def _verify_later(self, decision: Decision, snapshot: Snapshot) -> None:
        """Start a HEAD request that no review waits for; its result reaches all processes through the database."""
        future = self._head(decision, snapshot, later=True)
        if future is None:
            return

        def record(done: Future[ProbeResult]) -> None:
            if done.cancelled() or done.exception() is not None:
                return
            result = done.result()
            if result.state != "unknown":
                answer = TargetAnswer(str(decision.target), result.state, result.digest, result.requested_at)
                self._database.pending.add_answer(decision.key, answer)

        future.add_done_callback(record)
