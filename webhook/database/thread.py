"""The one thread of a webhook process that uses the database.

Request threads never use the ORM: they send lookups and requests to this thread, and wait on a future with their own
deadline. The thread batches lookups, queues jobs, polls for changes, and writes pending data.
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
from webhook.database.answering import MessageHandler
from webhook.database.availability import Availability
from webhook.database.chores import DATABASE_UNAVAILABLE, Chore, ErrorBarrier
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
"""Seconds between two reads of changed rows, which is also the maximum age of the rows in the webhook's memory."""

WAIT_POLL_EVERY: Final = 0.1
"""Seconds between two checks of the jobs that pods wait for."""

FLUSH_EVERY: Final = 10.0
"""Seconds between two writes of counts and uses, so that many pods share one write."""

REPORT_EVERY: Final = 30.0
"""Seconds between two reports of this process to the database; it counts as running until four reports are missing."""

STUCK_AFTER: Final = 1.0
"""Seconds of one statement after which the database counts as unavailable."""

CONNECTED_WITHIN: Final = 1.0
"""Seconds from the start until a webhook without a connection to the database counts as ready anyway."""

LOADED_WITHIN: Final = 5.0
"""Seconds from the start until a webhook that has not loaded the most recently seen mappings counts as ready anyway."""


class DatabaseThread:
    """The thread and its queue. ``target`` returns endpoint and prefix of the active target, ``cluster`` the name of
    the cluster whose pods are reviewed, ``quotas`` the active quotas; ``on_rows`` receives operators' rows; ``facts``
    returns the data that a webhook reports about itself, None in other processes. ``preloads``: load the most recently
    seen mappings in advance. ``flush_every`` is in seconds."""

    def __init__(
        self,
        *,
        target: Callable[[], tuple[str, str]],
        cluster: Callable[[], str],
        quotas: Callable[[], Quotas],
        on_rows: Callable[[OperatorRows], None],
        facts: Callable[[], Mapping[str, Any]] | None = None,
        preloads: bool = True,
        flush_every: float = FLUSH_EVERY,
    ) -> None:
        self.pending = PendingWrites()
        self.has_rows = threading.Event()
        """Set when operators' rows have been read for the first time."""
        self._unwritten = UnwrittenAnswers()
        self._cache = MappingCache(unwritten=self._unwritten, target=target, cluster=cluster, on_rows=on_rows)
        self._facts = facts
        self._cluster = cluster
        self._barrier = ErrorBarrier()
        self._handler = MessageHandler(self._cache, quotas, self._barrier)
        self._inbox = Inbox()
        self._availability = Availability()
        # The order matters: a poll sets the time from which changes of loaded mappings are followed.
        self._chores = [
            Chore("answers", self._write_answers, POLL_EVERY),
            Chore("changes", self._cache.poll, POLL_EVERY),
            Chore("operators' rows", self._poll_rows, POLL_EVERY),
            *([Chore("load", self._load, POLL_EVERY)] if preloads else ()),
            Chore("flush", self._flush, flush_every),
            *([Chore("report", partial(self._report, facts, cluster), REPORT_EVERY)] if facts is not None else ()),
        ]
        self._started_at = time.monotonic()
        self._has_connected = self._is_ready = False
        self._watchdog = QueryWatchdog()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="database", daemon=True)

    # Methods for request threads.

    def start(self) -> None:
        self._started_at = time.monotonic()
        self._thread.start()
        self._watchdog.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Write the buffered data and stop the thread."""
        self._stopping.set()
        self._thread.join(timeout)
        self._watchdog.stop()

    def row(self, source: str) -> CachedMapping | None:
        """Return the cached result for a source; None if it is not in memory."""
        return self._cache.row(source)

    def is_ready(self) -> bool:
        """Return whether the most recently seen images are in memory, or waiting for them any longer is pointless."""
        if not self._is_ready:
            seconds = time.monotonic() - self._started_at
            is_late = seconds > (LOADED_WITHIN if self._has_connected else CONNECTED_WITHIN)
            self._is_ready = is_late or self._cache.is_loaded or self.is_unavailable()
        return self._is_ready

    def is_unavailable(self) -> bool:
        """Return whether the database failed the last query, or does not respond to the current one. In both cases, no
        request thread waits for it."""
        return self._availability.is_failing or self._watchdog.seconds > STUCK_AFTER

    def is_over_quota(self, namespace: str) -> bool:
        """Return whether the namespace was refused a new image within the last seconds."""
        return self._handler.is_over_quota(namespace)

    def lookup(self, targets: Mapping[str, str]) -> Future[dict[str, MappingSnapshot]]:
        """Look up the mappings of ``{source: target}``. The future raises DatabaseUnavailableError."""
        message = Lookup(targets)
        return self._submit(message, message.future)

    def row_at(self, target: str) -> MappingSnapshot | None:
        """Return the cached mapping that owns the name of a target image; None if it is not in memory."""
        return self._cache.row_at(target)

    def private_mappings_in(self, repositories: Sequence[str]) -> Future[list[MappingSnapshot]]:
        """Look up the mappings of private images whose target is in one of the repositories."""
        message = RepositoryLookup(repositories)
        return self._submit(message, message.future)

    def request_copies(self, requests: Sequence[RequestedCopy]) -> Future[list[RequestOutcome]]:
        message = RequestedCopies(requests)
        return self._submit(message, message.future)

    def wait_job(self, job_id: int) -> Future[str]:
        """Wait for a job to finish; the future has its final state."""
        message = JobWait(job_id, time.monotonic())
        return self._submit(message, message.future)

    def _submit(self, message: Message, future: Future[Any]) -> Future[Any]:
        try:
            if self.is_unavailable():
                raise DatabaseUnavailableError("the database is unavailable")
            self._inbox.put(message)
        except (queue.Full, DatabaseUnavailableError) as error:
            future.set_exception(DatabaseUnavailableError(str(error) or "too many lookups at once"))
        return future

    # Methods of the database thread itself.

    def _run(self) -> None:
        while not self._stopping.is_set():
            batch = self._inbox.wait(self._seconds_until_due())
            self._cache.apply_answers(self.pending.pop_answers())
            try:
                if self._availability.is_due:
                    close_old_connections()
                    connection.ensure_connection()
                    self._has_connected = True
                    with self._watchdog.watching():
                        self._process_batch(batch)
                    self._availability.mark_available()
            except DATABASE_UNAVAILABLE as error:
                self._back_off(error)
            except Exception as error:
                # The error occurred outside the error barrier. Back off too, or the loop would repeat without a pause.
                log.exception("An error occurred in the database thread; it continues")
                self._back_off(error)
            for message in batch:
                if not message.future.done() and message not in self._handler.waits:
                    message.future.set_exception(DatabaseUnavailableError("the database did not respond"))
        self._final_flush()

    def _seconds_until_due(self) -> float:
        if self._handler.waits:
            return WAIT_POLL_EVERY
        due: float = max(self._availability.next_try, min(chore.due_at for chore in self._chores))
        return due - time.monotonic()

    def _process_batch(self, batch: list[Message]) -> None:
        """Answer the batch and run the chores that are due. Messages that arrive in the meantime are answered before
        the next chore, and are added to the batch."""
        self._cache.find_registry()
        self._handler.handle(batch)
        for chore in self._chores:
            if chore.run_if_due(self._barrier) and (new := self._inbox.drain()):
                batch += new
                self._handler.handle(new)

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

    def _final_flush(self) -> None:
        try:
            if not self.is_unavailable():
                self._cache.apply_answers(self.pending.pop_answers())
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
