"""A lock that lets only one ``prepare`` at a time run on a database, on any machine. The others wait for it."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import structlog
from django.core.management import CommandError
from django.db.backends.base.base import BaseDatabaseWrapper

from swapper_project.process.commands.command_line import explain_write

log = structlog.get_logger(__name__)

PREPARE_LOCK_TIMEOUT: Final = 600.0
"""The most seconds to wait for another ``prepare``: the migrations of a large database take minutes."""

LOCK_RETRY_INTERVAL: Final = 0.2
"""Seconds between two attempts to acquire the lock: a delay that users do not notice."""

_ADVISORY: Final = 7_205_514_010
"""The key of the advisory lock in Postgres: an arbitrary number that no other program should use."""


@contextmanager
def exclusive_lock(connection: BaseDatabaseWrapper, *, timeout: float = PREPARE_LOCK_TIMEOUT) -> Iterator[None]:
    """Hold the lock of this database. Raises CommandError if another process holds it for longer than ``timeout``
    seconds."""
    lock = _advisory_lock if connection.vendor == "postgresql" else _directory_lock
    with lock(connection) as try_lock:
        _wait(try_lock, timeout)
        yield


@contextmanager
def _advisory_lock(connection: BaseDatabaseWrapper) -> Iterator[Callable[[], bool]]:
    """Yield a function that tries to acquire an advisory lock of the session, which ends with the connection, and
    therefore with the process."""

    def call(function: str) -> bool:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {function}(%s)", [_ADVISORY])
            return bool(cursor.fetchone()[0])

    try:
        # The lock is polled, because a session that waits in the database would block CREATE INDEX CONCURRENTLY,
        # which waits for all other sessions.
        yield lambda: call("pg_try_advisory_lock")
    finally:
        if connection.connection is not None and not connection.connection.closed:
            call("pg_advisory_unlock")


@contextmanager
def _directory_lock(connection: BaseDatabaseWrapper) -> Iterator[Callable[[], bool]]:
    """Yield a function that tries to lock the directory of the SQLite file. This needs no lock file, and the lock ends
    with the process."""
    directory = Path(connection.settings_dict["NAME"]).absolute().parent
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise CommandError(explain_write(error, str(directory))) from error

    def lock() -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        yield lock
    finally:
        os.close(handle)


def _wait(try_lock: Callable[[], bool], timeout: float) -> None:
    deadline, has_waited = time.monotonic() + timeout, False
    while not try_lock():
        if time.monotonic() >= deadline:
            raise CommandError(
                f"Another prepare has been running on this database for over {timeout:.0f} seconds. Check its log, "
                "stop it if it hangs, and run prepare again."
            )
        if not has_waited:
            log.info("Another prepare is running on this database; waiting for it")
            has_waited = True
        time.sleep(LOCK_RETRY_INTERVAL)
