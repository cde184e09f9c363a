"""The one thread of a webhook process that talks to the database.

Request threads never touch the ORM: they hand questions and requests to this thread and wait on a future with their
own deadline. It batches look-ups, enqueues jobs, polls for changes, and flushes what was pending.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any, Final

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection

from mirrors import services
from mirrors.models import InstanceRole
from mirrors.selectors.images.mapping_snapshot import MappingSnapshot
from mirrors.services import RequestedCopy, RequestOutcome
from swapper_project.config import Quotas
from webhook.database.answering import Answering
from webhook.database.availability import Availability
from webhook.database.chores import DATABASE_AWAY, Chore, ErrorBarrier
from webhook.database.inbox import Inbox
from webhook.database.mapping_cache import CachedMapping, MappingCache
from webhook.database.pending_writes import PendingWrites
from webhook.database.query_watchdog import QueryWatchdog
from webhook.database.thread_messages import (
    DatabaseUnavailableError,
    JobWait,
    Lookup,
    Message,
    RepositoryLookup,
    RequestedCopies,
)
from webhook.database.unwritten_answers import UnwrittenAnswers
from webhook.decision.snapshot import OperatorRows

log = structlog.get_logger(__name__)

POLL_EVERY: Final = 1.0
"""Seconds between two reads of changed rows: how old what the webhook has in memory may be."""

WAIT_POLL_EVERY: Final = 0.1
"""Seconds between two looks at jobs that pods wait for."""

FLUSH_EVERY: Final = 10.0
"""Seconds between two writes of counts and uses, which lets many pods share a write."""

REPORT_EVERY: Final = 30.0
"""Seconds between two reports of this process; it counts as running until four are missing."""

STUCK_AFTER: Final = 1.0
"""Seconds of one turn after which the database counts as unavailable."""

CONNECTED_WITHIN: Final = 1.0
"""Seconds after the start for which a webhook that is not ready waits for a connection to the database."""

LOADED_WITHIN: Final = 5.0
"""Seconds after the start for which it waits for the mappings seen most recently."""


class DatabaseThread:
    """``target`` gives endpoint and prefix of the active target, ``cluster`` the name of the cluster whose pods are
    reviewed, ``quotas`` the active ones; ``on_rows`` takes operators' rows; ``facts`` is what this webhook reports of
    itself, where it is one. ``loads``: the mappings seen most recently are brought into memory before anybody asks.
    ``flush_every`` is in seconds."""

    def __init__(
        self,
        *,
        target: Callable[[], tuple[str, str]],
        cluster: Callable[[], str],
        quotas: Callable[[], Quotas],
        on_rows: Callable[[OperatorRows], None],
        facts: Callable[[], Mapping[str, Any]] | None = None,
        loads: bool = True,
        flush_every: float = FLUSH_EVERY,
    ) -> None:
        self.pending = PendingWrites()
        self.has_rows = threading.Event()
        """Set when operators' rows are in for the first time."""
        self._unwritten = UnwrittenAnswers()
        self._cache = MappingCache(unwritten=self._unwritten, target=target, cluster=cluster, on_rows=on_rows)
        self._facts = facts
        self._cluster = cluster
        self._barrier = ErrorBarrier()
        self._answering = Answering(self._cache, quotas, self._barrier)
        self._inbox = Inbox()
        self._availability = Availability()
        # In this order: a poll sets the time from which changes of what is loaded are followed.
        self._chores = [
            Chore("answers", self._write_answers, POLL_EVERY),
            Chore("changes", self._cache.poll, POLL_EVERY),
            Chore("operators' rows", self._poll_rows, POLL_EVERY),
            *([Chore("load", self._load, POLL_EVERY)] if loads else ()),
            Chore("flush", self._flush, flush_every),
            *([Chore("report", partial(self._report, facts, cluster), REPORT_EVERY)] if facts is not None else ()),
        ]
        self._started_at = time.monotonic()
        self._has_connected = self._is_ready = False
        self._watchdog = QueryWatchdog()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="database", daemon=True)

    # What request threads call.

    def start(self) -> None:
        self._started_at = time.monotonic()
        self._thread.start()
        self._watchdog.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Flush what is buffered and end the thread."""
        self._stopping.set()
        self._thread.join(timeout)
        self._watchdog.stop()

    def row(self, source: str) -> CachedMapping | None:
        """Return what is in memory of a source; None: not looked up yet."""
        return self._cache.row(source)

    def is_ready(self) -> bool:
        """Whether the images seen most recently are in memory, or there is no point in waiting for them any longer."""
        if not self._is_ready:
            seconds = time.monotonic() - self._started_at
            is_late = seconds > (LOADED_WITHIN if self._has_connected else CONNECTED_WITHIN)
            self._is_ready = is_late or self._cache.is_loaded or self.is_away()
        return self._is_ready

    def is_away(self) -> bool:
        """Whether the database did not respond when it was last asked, or does not now; nobody waits for it then."""
        return self._availability.is_failing or self._watchdog.seconds > STUCK_AFTER

    def is_over_quota(self, namespace: str) -> bool:
        """Whether the namespace was refused a new image a moment ago; it may ask again after that."""
        return self._answering.is_over_quota(namespace)

    def lookup(self, targets: Mapping[str, str]) -> Future[dict[str, MappingSnapshot]]:
        """Look mappings up, ``{source: target}``; raises DatabaseUnavailableError through the future."""
        message = Lookup(targets)
        return self._submit(message, message.future)

    def row_at(self, target: str) -> MappingSnapshot | None:
        """Return what is in memory of the mapping that owns a target's name."""
        return self._cache.row_at(target)

    def inside(self, repositories: Sequence[str]) -> Future[list[MappingSnapshot]]:
        """Mappings of private images whose target lies in one of the repositories."""
        message = RepositoryLookup(repositories)
        return self._submit(message, message.future)

    def request_copies(self, requests: Sequence[RequestedCopy]) -> Future[list[RequestOutcome]]:
        message = RequestedCopies(requests)
        return self._submit(message, message.future)

    def wait_job(self, job_id: int) -> Future[str]:
        """The status in which the job ends."""
        message = JobWait(job_id, time.monotonic())
        return self._submit(message, message.future)

    def _submit(self, message: Message, future: Future[Any]) -> Future[Any]:
        try:
            if self.is_away():
                raise DatabaseUnavailableError("the database is unavailable")
            self._inbox.put(message)
        except (queue.Full, DatabaseUnavailableError) as error:
            future.set_exception(DatabaseUnavailableError(str(error) or "too many lookups at once"))
        return future

    # What the database thread does.

    def _run(self) -> None:
        while not self._stopping.is_set():
            batch = self._inbox.wait(self._seconds_until_due())
            self._cache.take_answers(self.pending.take_existence())
            try:
                if self._availability.is_due:
                    close_old_connections()
                    connection.ensure_connection()
                    self._has_connected = True
                    with self._watchdog.watching():
                        self._turn(batch)
                    self._availability.came_back()
            except DATABASE_AWAY as error:
                self._back_off(error)
            except Exception as error:
                # Met before any work could be distinguished from another: rest as well, or it is met without a pause.
                log.exception("An error occurred in the database thread; it continues")
                self._back_off(error)
            for message in batch:
                if not message.future.done() and message not in self._answering.waits:
                    message.future.set_exception(DatabaseUnavailableError("the database did not respond"))
        self._last_flush()

    def _seconds_until_due(self) -> float:
        if self._answering.waits:
            return WAIT_POLL_EVERY
        due: float = max(self._availability.next_try, min(chore.due_at for chore in self._chores))
        return due - time.monotonic()

    def _turn(self, batch: list[Message]) -> None:
        """Answer, and do what is due; what arrives meanwhile goes before the next chore, and is added to the batch."""
        self._cache.find_registry()
        self._answering.answer(batch)
        for chore in self._chores:
            if chore.run_if_due(self._barrier) and (new := self._inbox.take()):
                batch += new
                self._answering.answer(new)

    def _poll_rows(self) -> None:
        self._cache.poll_rows()
        self.has_rows.set()

    def _load(self) -> bool:
        if self._cache.is_loaded:
            return False
        is_more = self._cache.load()
        if self._cache.loaded and not is_more:
            seconds = round(time.monotonic() - self._started_at, 1)
            log.info("The most recent images are loaded", mappings=self._cache.loaded, seconds=seconds)
        return is_more

    def _flush(self) -> bool:
        return self.pending.flush_counts(self._cache.registry_id, self._cluster())

    @staticmethod
    def _report(facts: Callable[[], Mapping[str, Any]], cluster: Callable[[], str]) -> None:
        services.report_instance(role=InstanceRole.WEBHOOK, cluster=cluster(), facts=facts())

    def _back_off(self, error: Exception) -> None:
        self._availability.back_off(error)
        connection.close()

    def _write_answers(self) -> bool:
        return self._unwritten.write(self._cache.registry_id)

    def _last_flush(self) -> None:
        try:
            if not self.is_away():
                self._cache.take_answers(self.pending.take_existence())
                while self._write_answers():
                    pass
                while self._flush():
                    pass
                if self._facts is not None:
                    services.withdraw_instance(role=InstanceRole.WEBHOOK, cluster=self._cluster())
        except (DatabaseError, InterfaceError, OSError) as error:
            log.warning("Counts of the last seconds are lost: the database does not respond", error=str(error).strip())
        finally:
            connection.close()
