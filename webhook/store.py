"""The one thread of a webhook process that talks to the database.

Request threads never touch the ORM: they hand questions and orders to this thread and wait on a future with their
own deadline. It batches look-ups, enqueues jobs, polls for changes, and flushes what was noticed.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from mirrors import selectors, services
from mirrors.known import KnownMapping
from mirrors.services import MirrorOrder, OrderOutcome
from webhook.memory import BoundedMap
from webhook.noticed import Noticed
from webhook.snapshot import OperatorRows

log = structlog.get_logger(__name__)

INBOX: Final = 10_000
BATCH: Final = 500
KNOWN: Final = 30_000
POLL_EVERY: Final = 1.0
WAIT_POLL_EVERY: Final = 0.1
FLUSH_EVERY: Final = 10.0
REST: Final = (0.5, 5.0)
"""Seconds without a try after a database error: the first time, and at most."""

ABANDONED: Final = 30.0
"""Seconds after which nobody waits for a job any longer."""


class StoreUnavailableError(Exception):
    """The database is away, or the store has more to do than it may take on."""


@dataclass(frozen=True, slots=True)
class Lookup:
    targets: Mapping[str, str]
    future: Future[dict[str, KnownMapping]] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Orders:
    orders: Sequence[MirrorOrder]
    future: Future[list[OrderOutcome]] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class JobWait:
    job_id: int
    since: float
    future: Future[str] = field(default_factory=Future)


Message = Lookup | Orders | JobWait


@dataclass(frozen=True, slots=True)
class Row:
    """A looked-up mapping, or that there is none."""

    known: KnownMapping | None


class Store:
    """``target`` gives endpoint and prefix of the target in force; ``on_rows`` takes operators' rows."""

    def __init__(self, *, target: Callable[[], tuple[str, str]], on_rows: Callable[[OperatorRows], None]) -> None:
        self._target = target
        self._on_rows = on_rows
        self._inbox: queue.Queue[Message] = queue.Queue(INBOX)
        self._rows: BoundedMap[str, Row] = BoundedMap(KNOWN)
        self._waits: list[JobWait] = []
        self.noticed = Noticed()
        self._failures = 0
        self._resting_until = 0.0
        self._next_poll = self._next_flush = 0.0
        self._revisions: dict[str, int] | None = None
        self._registry: tuple[tuple[str, str], int] | None = None
        self._watermark: datetime | None = None
        self._changes_full = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)

    # What request threads call.

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Flush what is buffered and end the thread."""
        self._stopping.set()
        self._thread.join(timeout)

    def row(self, source: str) -> Row | None:
        """What is in memory of a source; None: not looked up yet."""
        return self._rows.get(source)

    def is_away(self) -> bool:
        """Whether the database did not answer when it was last asked."""
        return self._resting_until > time.monotonic()

    def lookup(self, targets: Mapping[str, str]) -> Future[dict[str, KnownMapping]]:
        """Look mappings up, ``{source: target}``; raises StoreUnavailableError through the future."""
        message = Lookup(targets)
        return self._submit(message, message.future)

    def order(self, orders: Sequence[MirrorOrder]) -> Future[list[OrderOutcome]]:
        message = Orders(orders)
        return self._submit(message, message.future)

    def wait_job(self, job_id: int) -> Future[str]:
        """The status in which the job ends."""
        message = JobWait(job_id, time.monotonic())
        return self._submit(message, message.future)

    def set_existence(self, source: str, state: str) -> None:
        """Take a registry's answer into memory at once; the database follows."""
        row = self._rows.get(source)
        if row is not None and row.known is not None:
            self._rows.put(source, Row(replace(row.known, existence=state, verified_at=time.time())))

    def _submit(self, message: Message, future: Future[Any]) -> Future[Any]:
        try:
            if self.is_away():
                raise StoreUnavailableError("the database is away")
            self._inbox.put_nowait(message)
        except (queue.Full, StoreUnavailableError) as error:
            future.set_exception(StoreUnavailableError(str(error) or "too much to look up at once"))
        return future

    # What the store's thread does.

    def _run(self) -> None:
        while not self._stopping.is_set():
            batch = self._collect()
            try:
                close_old_connections()
                self._turn(batch)
                self._failures, self._resting_until = 0, 0.0
            except (DatabaseError, InterfaceError, OSError) as error:
                self._rest(error)
            except Exception:
                log.exception("The store's thread met an error and goes on")
            for message in batch:
                if not message.future.done() and not (isinstance(message, JobWait) and message in self._waits):
                    message.future.set_exception(StoreUnavailableError("the database did not answer"))
        self._last_flush()

    def _collect(self) -> list[Message]:
        """What has come in, waiting for the next thing that is due."""
        now = time.monotonic()
        due = WAIT_POLL_EVERY if self._waits else max(0.01, min(self._next_poll - now, POLL_EVERY))
        batch: list[Message] = []
        try:
            batch.append(self._inbox.get(timeout=due))
            while len(batch) < BATCH:
                batch.append(self._inbox.get_nowait())
        except queue.Empty:
            pass
        return batch

    def _turn(self, batch: Sequence[Message]) -> None:
        if self.is_away():
            return
        registry_id = self._registry_id()
        self._answer_lookups([m for m in batch if isinstance(m, Lookup)], registry_id)
        self._place_orders([m for m in batch if isinstance(m, Orders)], registry_id)
        self._waits += [m for m in batch if isinstance(m, JobWait)]
        self._answer_waits()
        now = time.monotonic()
        if now >= self._next_poll:
            self._next_poll = now + POLL_EVERY
            self._poll(registry_id)
            self.noticed.flush_existence(registry_id)
        if now >= self._next_flush:
            self._next_flush = now + FLUSH_EVERY
            self.noticed.flush_counts()

    def _rest(self, error: Exception) -> None:
        """Leave the database alone for a while; requests answer from memory meanwhile."""
        if self._failures == 0:
            log.warning(
                "The database does not answer; known images go on being swapped from memory",
                error=str(error).strip(),
            )
        self._failures += 1
        self._resting_until = time.monotonic() + min(REST[1], REST[0] * 2 ** (self._failures - 1))
        # Changes made meanwhile are found from the watermark on, edits of small tables by their revision.
        connection.close()

    def _registry_id(self) -> int | None:
        target = self._target()
        if self._registry is None or self._registry[0] != target:
            found = selectors.target_registry_id(endpoint=target[0], prefix=target[1])
            if found is None:
                return None
            self._rows.clear()
            self._watermark = None
            self._registry = (target, found)
        return self._registry[1]

    def _answer_lookups(self, lookups: Sequence[Lookup], registry_id: int | None) -> None:
        if not lookups:
            return
        targets = {source: target for lookup in lookups for source, target in lookup.targets.items()}
        found: dict[str, KnownMapping] = {}
        if registry_id is not None:
            found = selectors.known_mappings(target_registry_id=registry_id, targets=targets)
            for source in targets:
                self._rows.put(source, Row(found.get(source)))
        for lookup in lookups:
            lookup.future.set_result({s: found[s] for s in lookup.targets if s in found})

    def _place_orders(self, messages: Sequence[Orders], registry_id: int | None) -> None:
        if not messages or registry_id is None:
            return
        orders = [order for message in messages for order in message.orders]
        outcomes = services.request_mirrors(target_registry_id=registry_id, orders=list(dict.fromkeys(orders)))
        by_source = {outcome.source: outcome for outcome in outcomes}
        for message in messages:
            message.future.set_result([by_source[order.source] for order in message.orders])

    def _answer_waits(self) -> None:
        if not self._waits:
            return
        states = selectors.job_states({wait.job_id for wait in self._waits})
        oldest = time.monotonic() - ABANDONED
        left: list[JobWait] = []
        for wait in self._waits:
            state = states.get(wait.job_id, "cancelled")
            if state in {"pending", "running"}:
                if wait.since > oldest:
                    left.append(wait)
            else:
                wait.future.set_result(state)
        self._waits = left

    def _poll(self, registry_id: int | None) -> None:
        """Take over what others have changed."""
        revisions = selectors.small_table_revisions()
        if revisions != self._revisions:
            self._on_rows(OperatorRows(tuple(selectors.operator_filters()), tuple(selectors.operator_sources())))
            self._revisions = revisions
            self._registry = None
            registry_id = self._registry_id()
        if registry_id is None:
            return
        overlap = 0 if self._changes_full else 1
        since = self._watermark - overlap * selectors.CHANGES_OVERLAP if self._watermark else None
        changed, newest = selectors.changed_mappings(target_registry_id=registry_id, since=since)
        self._changes_full = len(changed) == selectors.CHANGES_LIMIT
        self._watermark = max(filter(None, (self._watermark, newest)), default=None)
        for known in changed:
            if known.source in self._rows:
                self._rows.put(known.source, Row(known))

    def _last_flush(self) -> None:
        try:
            if not self.is_away():
                self.noticed.flush_existence(self._registry_id())
                self.noticed.flush_counts()
        except (DatabaseError, InterfaceError, OSError) as error:
            log.warning("Counts of the last seconds are lost: the database does not answer", error=str(error).strip())
        finally:
            connection.close()
