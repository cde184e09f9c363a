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
from webhook.decision.decision import Decision, Knowledge
from webhook.decision.review_limits import ReviewLimits
from webhook.decision.snapshot import Snapshot
from webhook.knowledge import from_rows
from webhook.knowledge.registry_prober import HEAD_TIMEOUT, ProbeAnswer, RegistryProber

T = TypeVar("T")

MOST_ASKED: Final = 100
"""The maximum number of images of one review that are checked at registries; further images are kept as ``busy``."""

UNSLOTTED_WAIT: Final = 0.5
"""The maximum time in seconds that a review waits for the database without one of the limited slots. After a start, or
during a roll-out of images that are not in memory, many reviews query the database, which responds in a fraction of
this time."""


class NoSlotError(Exception):
    """All slots for waiting reviews are in use."""


class KnowledgeGatherer:
    """Gathers facts about images; one instance per process. ``slots`` is the number of slots for waiting reviews."""

    def __init__(self, *, database: DatabaseThread, existence: RegistryProber, slots: int) -> None:
        self._database = database
        self._existence = existence
        self._slots = threading.BoundedSemaphore(slots)
        self.oldest_answer = RecentMaximum()
        """The age of the oldest answer past ``maxAge`` that was used, in seconds."""

    def try_wait(self) -> bool:
        """Acquire a slot for a waiting review, without blocking. Return whether it was acquired; release it with
        ``end_wait``."""
        has_slot = self._slots.acquire(blocking=False)
        if has_slot:
            metrics.WAITERS.inc()
        return has_slot

    def end_wait(self) -> None:
        metrics.WAITERS.dec()
        self._slots.release()

    def await_database(self, future: Future[T], limits: ReviewLimits) -> T | None:
        """Return the result of a lookup: wait for a moment without a slot, and after that with one. None if the result
        is not available in time, or the database is unavailable. Raises NoSlotError if all slots are in use."""
        answer = await_result(future, limits.left(UNSLOTTED_WAIT))
        if future.done():
            return answer
        if not self.try_wait():
            raise NoSlotError
        try:
            return await_result(future, limits.left(HEAD_TIMEOUT - UNSLOTTED_WAIT))
        finally:
            self.end_wait()

    def gather(self, decisions: Iterable[Decision], snapshot: Snapshot, limits: ReviewLimits) -> dict[str, Knowledge]:
        """Return the facts about the images of open decisions, by canonical source."""
        wanted = {decision.key: decision for decision in decisions}
        rows = {source: row for source in wanted if (row := self._database.row(source)) is not None}
        missing = {source: str(decision.target) for source, decision in wanted.items() if source not in rows}
        late = set(self._look_up(missing, rows, limits)) if missing and limits.can_query else set()
        known = {s: from_rows.of_row(wanted[s], rows.get(s), snapshot, limits) for s in wanted}
        for source in missing.keys() & rows.keys():
            metrics.EXISTENCE_LOOKUPS.labels(known[source].existence, "database").inc()
        if self._database.is_over_quota(limits.namespace):
            # Images that are new to this namespace are looked up in the database, but not checked at registries.
            known |= {s: from_rows.out_of_quota(known[s], row) for s, row in rows.items()}
        uncertain = [source for source in wanted if from_rows.is_uncertain(rows.get(source), known[source], snapshot)]
        if uncertain and limits.can_query:
            undecided = {source: wanted[source] for source in uncertain if source not in late}
            known |= self._uncertain(undecided, rows, known, snapshot, limits)
            # The result arrives too late for this review, but in time for the next one.
            known |= {source: replace(known[source], busy=True) for source in late}
        for source, knowledge in known.items():
            if knowledge.stale and limits.can_query and limits.can_record:
                row = self._database.row(source)
                if row is not None and row.known is not None:
                    self.oldest_answer.record(time.time() - row.known.verified_at)
                self._verify_later(wanted[source], snapshot)
        return known

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

    def _uncertain(
        self,
        wanted: Mapping[str, Decision],
        rows: Mapping[str, CachedMapping],
        known: Mapping[str, Knowledge],
        snapshot: Snapshot,
        limits: ReviewLimits,
    ) -> dict[str, Knowledge]:
        """Check the images at the registries if a slot is available; else start checks for the next review."""
        asked = dict(itertools.islice(wanted.items(), MOST_ASKED))
        busy = {source: replace(known[source], busy=True) for source in wanted}
        if not asked or not self.try_wait():
            for decision in asked.values():
                if limits.can_record:
                    self._verify_later(decision, snapshot)
            return busy
        try:
            return busy | self._asked(asked, rows, known, snapshot, limits)
        finally:
            self.end_wait()

    def _asked(
        self,
        wanted: Mapping[str, Decision],
        rows: Mapping[str, CachedMapping],
        known: Mapping[str, Knowledge],
        snapshot: Snapshot,
        limits: ReviewLimits,
    ) -> dict[str, Knowledge]:
        """Check the images at the target, and whether the sources of those that are present can be read anonymously."""
        known = {source: known[source] for source in wanted}
        heads = {source: self._head(decision, snapshot) for source, decision in wanted.items()}
        until = replace(limits, deadline=min(limits.deadline, time.monotonic() + HEAD_TIMEOUT))
        answers = {source: await_result(head, until.left()) for source, head in heads.items()}
        for source, answer in answers.items():
            known[source] = self._with_answer(known[source], rows[source], answer, limits)
        # Sources are queried only for mirrored images, because a HEAD request counts against their limits too.
        present = [source for source in wanted if known[source].existence == "present"]
        probes = {source: self._probe(wanted[source], known[source], snapshot) for source in present}
        for source, probe in probes.items():
            seen = await_result(probe, until.left())
            if seen is not None and seen.state == "present":
                known[source] = replace(known[source], access="anonymous")
        if limits.can_record:
            for source, answer in answers.items():
                self._record_answer(wanted[source], rows[source].known, known[source], answer, snapshot)
        return known

    def _record_answer(
        self,
        decision: Decision,
        row: MappingSnapshot | None,
        known: Knowledge,
        answer: ProbeAnswer | None,
        snapshot: Snapshot,
    ) -> None:
        """Have the target's answer written to the database if it is new. An absent image without a row gets none."""
        if answer is None or answer.state == "unknown" or (row is None and answer.state == "absent"):
            return
        if row is None or answer.state != row.existence or from_rows.is_too_old(row, snapshot):
            access = "anonymous" if known.access == "anonymous" else ""
            answered = TargetAnswer(str(decision.target), answer.state, answer.digest, answer.asked_at, access)
            self._database.pending.existence(decision.key, answered)

    def _head(self, decision: Decision, snapshot: Snapshot, *, later: bool = False) -> Future[ProbeAnswer] | None:
        if snapshot.target_access is None or decision.target is None:
            return None
        row = self._database.row(decision.key)
        was_there = row is not None and row.known is not None and row.known.existence == "present"
        return self._existence.ask(decision.target, snapshot.target_access, later=later, confirm=was_there)

    def _probe(self, decision: Decision, known: Knowledge, snapshot: Snapshot) -> Future[ProbeAnswer] | None:
        """Check whether the source can be read anonymously; None if that is known or irrelevant."""
        if known.access != "unknown" or snapshot.policy.private_images == "mirror" or decision.source is None:
            return None
        return self._existence.ask(decision.source, snapshot.sources.anonymous_access_for(decision.source))

    def _with_answer(
        self, known: Knowledge, row: CachedMapping, answer: ProbeAnswer | None, limits: ReviewLimits
    ) -> Knowledge:
        if answer is None or answer.state == "unknown":
            # There is no result. If the registry is unavailable, the previous answer counts if it was ``present``.
            if known.existence == "present" and not (answer is None or answer.unavailable):
                return replace(known, existence="unknown", stale=False)
            return known if known.existence == "present" else replace(known, existence="unknown")
        if row.known is not None and self._is_tampered(row.known, answer, limits):
            return replace(known, existence=answer.state, stale=False, obstacle=Reason.TAMPERED)
        return replace(known, existence=answer.state, stale=False)

    def _is_tampered(self, row: MappingSnapshot, answer: ProbeAnswer, limits: ReviewLimits) -> bool:
        """Return whether the target has another digest than the one that was written, and no copy that has just
        finished explains it."""
        if not from_rows.differs(row, answer):
            return False
        found = await_result(self._database.lookup({row.source: row.target}), limits.left(HEAD_TIMEOUT)) or {}
        return from_rows.differs(found.get(row.source, row), answer)

    def _verify_later(self, decision: Decision, snapshot: Snapshot) -> None:
        """Start a HEAD request that no review waits for; its result reaches all processes through the database."""
        future = self._head(decision, snapshot, later=True)
        if future is None:
            return

        def record(done: Future[ProbeAnswer]) -> None:
            if done.cancelled() or done.exception() is not None:
                return
            answer = done.result()
            if answer.state != "unknown":
                answered = TargetAnswer(str(decision.target), answer.state, answer.digest, answer.asked_at)
                self._database.pending.existence(decision.key, answered)

        future.add_done_callback(record)
