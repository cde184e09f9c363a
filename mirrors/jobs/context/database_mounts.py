"""The locations of blobs, in the database: the engine's mount index, shared by all workers."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Generic, TypeVar

import structlog
from django.db import DatabaseError, InterfaceError, connection, transaction

from mirrors.jobs.context import blob_locations
from mirrors.jobs.context.blob_locations import Blob
from mirrors.oci import Audience, MemoryMounts
from mirrors.oci.common.mount_index import FoundRepositories
from swapper_project.process.database_connection import close_unusable_connection

log = structlog.get_logger(__name__)

LOOKUP_SECONDS: Final = 2.0
"""Seconds that a blob's thread waits for a lookup of the repositories from which the blob could be mounted."""

MOST_LOOKUPS: Final = 100
"""The number of blobs from which a query is not extended by more lookups. A query has fewer than twice as many, well
below SQLite's limit for parameters of a statement."""

LOCATIONS_PER_TRANSACTION: Final = 500
"""The maximum number of blob locations that one transaction writes, so that it holds its locks only briefly."""

T = TypeVar("T")


@dataclass(frozen=True)
class _Lookup(Generic[T]):
    """A lookup of a blob. ``query`` queries the database; ``default`` is the result if the database has no location of
    the blob. With ``is_located``, a location is known already, so that ``query`` is always called."""

    registry: str
    digest: str
    query: Callable[[], T]
    default: T
    is_located: bool = False
    result_future: Future[T] = field(default_factory=Future)


class DatabaseMounts:
    """The mount index: memory first, then the database. The engine's many blob threads share one thread with a database
    connection.

    While the database is unavailable, lookups find nothing and new locations are dropped. That only costs uploads.
    """

    def __init__(self) -> None:
        self._memory = MemoryMounts()
        self._lookups: queue.Queue[list[_Lookup[Any]]] = queue.Queue()
        self._new_locations: queue.SimpleQueue[Blob] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def start_find(self, registry: str, digests: Sequence[str], audience: Audience | None) -> list[FoundRepositories]:
        known = {digest: self._memory.find(registry, digest) for digest in digests}
        # Nearly all blobs are new. The others are looked up when their repositories are needed, so that an image with
        # many of them does not delay those of other images.
        unknown = {digest: _Lookup(registry, digest, lambda: True, False) for digest in digests if not known[digest]}
        self._start_lookups(list(unknown.values()))
        return [partial(self._find, registry, each, known[each], audience, unknown.get(each)) for each in digests]

    def _find(
        self,
        registry: str,
        digest: str,
        known_repositories: list[str],
        audience: Audience | None,
        is_located: _Lookup[bool] | None,
    ) -> list[str]:
        if is_located is not None and not _wait_for(is_located):
            return []
        if known_repositories and audience is None:
            return known_repositories
        query = partial(blob_locations.readable_repositories, registry, digest, known_repositories, audience)
        return self._look_up(_Lookup(registry, digest, query, [], is_located=True))

    def holds(self, registry: str, digest: str, repository: str) -> bool:
        if self._memory.holds(registry, digest, repository):
            return True
        return self._look_up(
            _Lookup(registry, digest, partial(blob_locations.holds, registry, digest, repository), False)
        )

    def _look_up(self, lookup: _Lookup[T]) -> T:
        self._start_lookups([lookup])
        return _wait_for(lookup)

    def _start_lookups(self, lookups: list[_Lookup[Any]]) -> None:
        self._start()
        for start in range(0, len(lookups), MOST_LOOKUPS):
            self._lookups.put(lookups[start : start + MOST_LOOKUPS])

    def record(self, registry: str, digest: str, repository: str) -> None:
        if repository not in self._memory.find(registry, digest):
            self._start()
            self._new_locations.put((registry, digest, repository))
        self._memory.record(registry, digest, repository)

    def close(self) -> None:
        """Write the locations that are not saved yet, and stop the thread."""
        self._stopping.set()
        # Wake the thread, which otherwise waits up to half a second for the next lookup.
        self._lookups.put([])
        if self._thread is not None:
            self._thread.join(5)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mounts", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._turn()
            except Exception:
                log.exception("Cannot read or write blob locations; uploading the blobs")
        try:
            self._flush()
        except Exception:
            log.exception("Cannot save blob locations; the blobs will be uploaded again")
        connection.close()

    def _turn(self) -> None:
        try:
            lookups = self._lookups.get(timeout=0.5)
        except queue.Empty:
            self._flush()
            return
        # Combine lookups: the blobs of all images are looked up at the same time, and nearly all blobs are new.
        while len(lookups) < MOST_LOOKUPS and not self._lookups.empty():
            lookups += self._lookups.get()
        try:
            # A connection that is lost between two checks only costs uploads of these blobs.
            close_unusable_connection()
            _resolve(lookups)
        except Exception as error:
            # Fail the lookups with any error, because blob threads wait for them.
            for lookup in lookups:
                if not lookup.result_future.done():
                    lookup.result_future.set_exception(error)
            connection.close()

    def _flush(self) -> None:
        blobs: set[Blob] = set()
        while len(blobs) < LOCATIONS_PER_TRANSACTION and not self._new_locations.empty():
            blobs.add(self._new_locations.get())
        if not blobs:
            return
        try:
            close_unusable_connection()
            with transaction.atomic():
                blob_locations.write(sorted(blobs))
        except (DatabaseError, InterfaceError) as error:
            log.warning("Cannot save blob locations; the blobs will be uploaded again", error=str(error))
            connection.close()


def _wait_for(lookup: _Lookup[T]) -> T:
    try:
        return lookup.result_future.result(LOOKUP_SECONDS)
    except Exception as error:
        log.warning("Cannot look up blob locations; uploading the blob", error=str(error))
        return lookup.default


def _resolve(lookups: Sequence[_Lookup[Any]]) -> None:
    """Find out with one query which of the blobs have a location, then look up each of these separately."""
    new = {lookup.digest for lookup in lookups if not lookup.is_located}
    located = set(blob_locations.located_blobs(*_padded(sorted(new)))) if new else set()
    for lookup in lookups:
        has_location = lookup.is_located or (lookup.registry, lookup.digest) in located
        lookup.result_future.set_result(lookup.query() if has_location else lookup.default)


def _padded(digests: list[str]) -> list[str]:
    """Repeat the first digest until their number is a power of two, so that the query has only a few variants of
    SQL."""
    size = 1 << (len(digests) - 1).bit_length()
    return digests + digests[:1] * (size - len(digests))
