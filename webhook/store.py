"""The one thread of a webhook process that talks to the database.

Request threads never touch the ORM: they hand questions and orders to this thread and wait on a future with their
own deadline. It batches look-ups, enqueues jobs, polls for changes, and flushes what was noticed.
"""

from __future__ import annotations

import itertools
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

import structlog
from django.db import (
    DatabaseError,
    InterfaceError,
    OperationalError,
    ProgrammingError,
    close_old_connections,
    connection,
)

from mirrors import services
from mirrors.known import KnownMapping
from mirrors.models import InstanceRole
from mirrors.services import MirrorOrder, OrderOutcome, TargetAnswer
from swapper_project.config import Quotas
from webhook.following import Follower, Row
from webhook.memory import BoundedMap
from webhook.messages import Inside, JobWait, Lookup, Message, Orders, StoreUnavailableError
from webhook.noticed import BUFFERED, Noticed
from webhook.patience import Patience
from webhook.snapshot import OperatorRows
from webhook.waits import Waits

log = structlog.get_logger(__name__)

INBOX: Final = 10_000
BATCH: Final = 500
ANSWERS_AT_ONCE: Final = 200
POLL_EVERY: Final = 1.0
WAIT_POLL_EVERY: Final = 0.1
FLUSH_EVERY: Final = 10.0
REPORT_EVERY: Final = 30.0
REST: Final = (0.5, 5.0)
"""Seconds without a try after a database error: the first time, and at most."""

AWAY: Final = (OperationalError, ProgrammingError, InterfaceError, OSError)
"""Errors after which the database is left alone: not there, locked, or not migrated yet."""

STUCK_AFTER: Final = 1.0
"""Seconds of one turn after which the database is taken to be away."""

QUOTA_REST: Final = 10.0
"""Seconds for which a namespace that is out of quota orders nothing new, and costs nothing."""

NAMESPACES: Final = 10_000


class Store:
    """``target`` gives endpoint and prefix of the target in force, ``quotas`` those in force; ``on_rows`` takes
    operators' rows; ``facts`` is what this webhook reports of itself, where it is one."""

    def __init__(
        self,
        *,
        target: Callable[[], tuple[str, str]],
        quotas: Callable[[], Quotas],
        on_rows: Callable[[OperatorRows], None],
        facts: Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        self.noticed = Noticed()
        self.has_rows = threading.Event()
        """Set when operators' rows are in for the first time."""
        self._follower = Follower(target=target, on_rows=on_rows)
        self._quotas = quotas
        self._facts = facts
        self._over_quota: BoundedMap[str, float] = BoundedMap(NAMESPACES)
        self._inbox: queue.Queue[Message] = queue.Queue(INBOX)
        self._waits = Waits()
        self._unwritten: dict[str, TargetAnswer] = {}
        self._failures = 0
        self._next_try = self._next_poll = self._next_flush = self._next_report = 0.0
        self._patience = Patience()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)

    # What request threads call.

    def start(self) -> None:
        self._thread.start()
        self._patience.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Flush what is buffered and end the thread."""
        self._stopping.set()
        self._thread.join(timeout)
        self._patience.stop()

    def row(self, source: str) -> Row | None:
        """What is in memory of a source; None: not looked up yet."""
        return self._follower.row(source)

    def is_away(self) -> bool:
        """Whether the database did not answer when it was last asked, or does not now; nobody waits for it then."""
        return self._failures > 0 or self._patience.seconds > STUCK_AFTER

    def is_over_quota(self, namespace: str) -> bool:
        """Whether the namespace was refused a new image a moment ago; it may ask again after that."""
        return (self._over_quota.get(namespace) or 0.0) > time.monotonic()

    def lookup(self, targets: Mapping[str, str]) -> Future[dict[str, KnownMapping]]:
        """Look mappings up, ``{source: target}``; raises StoreUnavailableError through the future."""
        message = Lookup(targets)
        return self._submit(message, message.future)

    def row_at(self, target: str) -> KnownMapping | None:
        """What is in memory of the mapping that owns a target's name."""
        return self._follower.row_at(target)

    def inside(self, repository: str) -> Future[list[KnownMapping]]:
        """Mappings whose target lies in a repository."""
        message = Inside(repository)
        return self._submit(message, message.future)

    def order(self, orders: Sequence[MirrorOrder]) -> Future[list[OrderOutcome]]:
        message = Orders(orders)
        return self._submit(message, message.future)

    def wait_job(self, job_id: int) -> Future[str]:
        """The status in which the job ends."""
        message = JobWait(job_id, time.monotonic())
        return self._submit(message, message.future)

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
            self._take_answers()
            try:
                if time.monotonic() >= self._next_try:
                    close_old_connections()
                    connection.ensure_connection()
                    with self._patience.watching():
                        self._turn(batch)
                    self._came_back()
            except AWAY as error:
                self._rest(error)
            except Exception:
                log.exception("The store's thread met an error and goes on")
            for message in batch:
                if not message.future.done() and message not in self._waits:
                    message.future.set_exception(StoreUnavailableError("the database did not answer"))
        self._last_flush()

    def _collect(self) -> list[Message]:
        """What has come in, waiting for the next thing that is due."""
        due = max(self._next_try, min(self._next_poll, self._next_flush)) - time.monotonic()
        batch: list[Message] = []
        try:
            batch.append(self._inbox.get(timeout=WAIT_POLL_EVERY if self._waits else max(0.01, due)))
            while len(batch) < BATCH:
                batch.append(self._inbox.get_nowait())
        except queue.Empty:
            pass
        return batch

    def _turn(self, batch: Sequence[Message]) -> None:
        self._follower.find_registry()
        self._answer_lookups([m for m in batch if isinstance(m, Lookup)])
        for message in batch:
            if isinstance(message, Inside):
                message.future.set_result(self._follower.inside(message.repository))
        self._place_orders([m for m in batch if isinstance(m, Orders)])
        self._waits.answer([m for m in batch if isinstance(m, JobWait)])
        now = time.monotonic()
        if now >= self._next_poll:
            # Written before it is polled: what is read again must not be older than what is in memory.
            is_more = self._write_answers()
            self._follower.poll()
            self.has_rows.set()
            self._next_poll = now if is_more else now + POLL_EVERY
        if now >= self._next_flush:
            is_more = self.noticed.flush_counts()
            self._next_flush = now if is_more else now + FLUSH_EVERY
        if self._facts is not None and now >= self._next_report:
            services.report_instance(role=InstanceRole.WEBHOOK, facts=self._facts())
            self._next_report = now + REPORT_EVERY

    def _came_back(self) -> None:
        if self._failures:
            log.info("The database answers again")
        self._failures = 0

    def _rest(self, error: Exception) -> None:
        """Leave the database alone for a while; requests answer from memory meanwhile."""
        if not self._failures:
            log.warning(
                "The database does not answer; known images go on being swapped from memory", error=str(error).strip()
            )
        self._next_try = time.monotonic() + min(REST[1], REST[0] * 2 ** min(self._failures, 10))
        self._failures += 1
        connection.close()

    def _answer_lookups(self, lookups: Sequence[Lookup]) -> None:
        if not lookups:
            return
        found = self._follower.look_up({s: target for lookup in lookups for s, target in lookup.targets.items()})
        for lookup in lookups:
            lookup.future.set_result({s: found[s] for s in lookup.targets if s in found})

    def _place_orders(self, messages: Sequence[Orders]) -> None:
        registry_id = self._follower.registry_id
        if not messages or registry_id is None:
            return
        orders = list(dict.fromkeys(order for message in messages for order in message.orders))
        outcomes = services.request_mirrors(target_registry_id=registry_id, orders=orders, quotas=self._quotas())
        for order, outcome in zip(orders, outcomes, strict=True):
            if outcome.problem == "quota":
                self._over_quota.put(order.namespace, time.monotonic() + QUOTA_REST)
        by_source = {outcome.source: outcome for outcome in outcomes}
        for message in messages:
            message.future.set_result([by_source[order.source] for order in message.orders])

    def _take_answers(self) -> None:
        answers = self.noticed.take_existence()
        self._follower.take_answers(answers)
        if len(self._unwritten) < BUFFERED:
            self._unwritten |= answers

    def _write_answers(self) -> bool:
        """Write a part of them, in a transaction of its own; whether more is left."""
        registry_id = self._follower.registry_id
        part = dict(itertools.islice(self._unwritten.items(), ANSWERS_AT_ONCE))
        if not part or registry_id is None:
            return False
        services.record_existence(target_registry_id=registry_id, answers=part)
        for source in part:
            del self._unwritten[source]
        return bool(self._unwritten)

    def _last_flush(self) -> None:
        try:
            if not self.is_away():
                self._take_answers()
                while self._write_answers():
                    pass
                while self.noticed.flush_counts():
                    pass
                if self._facts is not None:
                    services.withdraw_instance(role=InstanceRole.WEBHOOK)
        except (DatabaseError, InterfaceError, OSError) as error:
            log.warning("Counts of the last seconds are lost: the database does not answer", error=str(error).strip())
        finally:
            connection.close()
