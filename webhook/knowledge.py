"""What is known of the images of one review: from memory, else asked for, within the review's deadline.

A review whose images are all in memory waits for nothing. At most half of a process's threads may wait; the rest
are answered at once with what there is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from typing import Final

from mirrors.known import KnownMapping
from mirrors.reasons import Reason
from mirrors.services import TargetAnswer
from swapper_project import metrics
from webhook import facts
from webhook.decision import Decision, Knowledge
from webhook.existence import HEAD_TIMEOUT, Answer, Existence
from webhook.following import Row
from webhook.memory import RecentMaximum
from webhook.snapshot import Snapshot
from webhook.store import Store
from webhook.terms import Terms, await_result

MOST_ASKED: Final = 100
"""Images of one review that are looked up and asked for while it waits; a pod with more of them has others first."""


class Knowing:
    """Gathers knowledge; one instance a process."""

    def __init__(self, *, store: Store, existence: Existence, places: int) -> None:
        self._store = store
        self._existence = existence
        self._places = threading.BoundedSemaphore(places)
        self.oldest_answer = RecentMaximum()
        """Age of the oldest answer, past ``maxAge``, that was given on."""

    def try_wait(self) -> bool:
        """Take a place among those who wait; give it back with ``end_wait``."""
        has_place = self._places.acquire(blocking=False)
        if has_place:
            metrics.WAITERS.inc()
        return has_place

    def end_wait(self) -> None:
        metrics.WAITERS.dec()
        self._places.release()

    def gather(self, decisions: Iterable[Decision], snapshot: Snapshot, terms: Terms) -> dict[str, Knowledge]:
        """Knowledge by canonical source, for open decisions."""
        wanted = {decision.key: decision for decision in decisions}
        rows = {source: row for source in wanted if (row := self._store.row(source)) is not None}
        known = {s: facts.of_row(wanted[s], rows.get(s), snapshot, terms) for s in wanted}
        if self._store.is_over_quota(terms.namespace):
            # What is new to this namespace is looked up, but no registry is asked for it.
            known |= {s: facts.out_of_quota(known[s], row) for s, row in rows.items()}
        uncertain = [source for source in wanted if facts.is_uncertain(rows.get(source), known[source], snapshot)]
        if uncertain and terms.may_ask:
            if not self.try_wait():
                return {s: replace(k, busy=True) if s in uncertain else k for s, k in known.items()}
            asked, rest = uncertain[:MOST_ASKED], uncertain[MOST_ASKED:]
            known |= {source: replace(known[source], busy=True) for source in rest}
            try:
                known |= self._asked({source: wanted[source] for source in asked}, rows, snapshot, terms)
            finally:
                self.end_wait()
        for source, knowledge in known.items():
            if knowledge.stale and terms.may_ask and terms.may_write:
                row = self._store.row(source)
                if row is not None and row.known is not None:
                    self.oldest_answer.note(time.time() - row.known.verified_at)
                self._verify_later(wanted[source], snapshot)
        return known

    def seconds_since_check(self, source: str) -> float:
        """How long ago the source was last compared with its target; 0 where nothing is known of it."""
        row = self._store.row(source)
        if row is None or row.known is None or row.known.job_is_live:
            return 0.0
        return time.time() - row.known.source_checked_at

    def _asked(
        self, wanted: Mapping[str, Decision], rows: dict[str, Row], snapshot: Snapshot, terms: Terms
    ) -> dict[str, Knowledge]:
        """Ask the database for what is not in memory, then the registries for what it does not tell."""
        missing = {source: str(decision.target) for source, decision in wanted.items() if source not in rows}
        if missing:
            found = await_result(self._store.lookup(missing), terms.left(HEAD_TIMEOUT)) or {}
            rows |= {source: Row(found.get(source)) for source in missing}
        known = {s: facts.of_row(wanted[s], rows[s], snapshot, terms) for s in wanted}
        for source in missing:
            metrics.EXISTENCE_LOOKUPS.labels(known[source].existence, "database").inc()
        if self._store.is_over_quota(terms.namespace):
            known |= {s: facts.out_of_quota(k, rows[s]) for s, k in known.items()}
        open_ = [s for s, k in known.items() if facts.is_uncertain(rows[s], k, snapshot)]
        heads = {source: self._head(wanted[source], snapshot) for source in open_}
        until = replace(terms, deadline=min(terms.deadline, time.monotonic() + HEAD_TIMEOUT))
        answers = {source: await_result(head, until.left()) for source, head in heads.items()}
        for source, answer in answers.items():
            known[source] = self._with_answer(known[source], rows[source], answer, terms)
        # Sources are asked for what is mirrored alone: a HEAD counts against their limits too.
        present = [source for source in open_ if known[source].existence == "present"]
        probes = {source: self._probe(wanted[source], known[source], snapshot) for source in present}
        for source, probe in probes.items():
            seen = await_result(probe, until.left())
            if seen is not None and seen.state == "present":
                known[source] = replace(known[source], access="anonymous")
        if terms.may_write:
            for source, answer in answers.items():
                self._note(wanted[source], rows[source].known, known[source], answer, snapshot)
        return known

    def _note(
        self, decision: Decision, row: KnownMapping | None, known: Knowledge, answer: Answer | None, snapshot: Snapshot
    ) -> None:
        """Have what the target said written down, where it is news. What is absent makes no row."""
        if answer is None or answer.state == "unknown" or (row is None and answer.state == "absent"):
            return
        if row is None or answer.state != row.existence or facts.is_too_old(row, snapshot):
            access = "anonymous" if known.access == "anonymous" else ""
            told = TargetAnswer(str(decision.target), answer.state, answer.digest, answer.asked_at, access)
            self._store.noticed.existence(decision.key, told)

    def _head(self, decision: Decision, snapshot: Snapshot, *, later: bool = False) -> Future[Answer] | None:
        if snapshot.target_access is None or decision.target is None:
            return None
        return self._existence.ask(decision.target, snapshot.target_access, later=later)

    def _probe(self, decision: Decision, known: Knowledge, snapshot: Snapshot) -> Future[Answer] | None:
        """Whether anybody may read the source, where that is not known and counts."""
        if known.access != "unknown" or snapshot.policy.private_images == "mirror" or decision.source is None:
            return None
        return self._existence.ask(decision.source, snapshot.sources.anonymous_access_for(decision.source))

    def _with_answer(self, known: Knowledge, row: Row, answer: Answer | None, terms: Terms) -> Knowledge:
        if answer is None or answer.state == "unknown":
            # Nobody there to ask: what was known before stands, as long as it was known to be there.
            if known.existence == "present" and not (answer is None or answer.away):
                return replace(known, existence="unknown", stale=False)
            return known if known.existence == "present" else replace(known, existence="unknown")
        if row.known is not None and self._is_tampered(row.known, answer, terms):
            return replace(known, existence=answer.state, stale=False, obstacle=Reason.TAMPERED)
        return replace(known, existence=answer.state, stale=False)

    def _is_tampered(self, row: KnownMapping, answer: Answer, terms: Terms) -> bool:
        """Whether the target has another digest than was written, and no copy that has just ended explains it."""
        if not facts.differs(row, answer):
            return False
        found = await_result(self._store.lookup({row.source: row.target}), terms.left(HEAD_TIMEOUT)) or {}
        return facts.differs(found.get(row.source, row), answer)

    def _verify_later(self, decision: Decision, snapshot: Snapshot) -> None:
        """Start one HEAD that nobody waits for; its answer reaches all processes through the database."""
        future = self._head(decision, snapshot, later=True)
        if future is None:
            return

        def note(done: Future[Answer]) -> None:
            if done.cancelled() or done.exception() is not None:
                return
            answer = done.result()
            if answer.state != "unknown":
                told = TargetAnswer(str(decision.target), answer.state, answer.digest, answer.asked_at)
                self._store.noticed.existence(decision.key, told)

        future.add_done_callback(note)
