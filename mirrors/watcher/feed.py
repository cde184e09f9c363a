"""A thread that keeps one kind of objects up to date in the inventory.

It lists the objects once, then watches them for as long as the process leads.
"""

from __future__ import annotations

import random
import threading
from typing import Final

import structlog

from mirrors.kubernetes.api_server.api_client import ClusterError
from mirrors.kubernetes.api_server.object_reader import ForbiddenError, ObjectReader, OutdatedError
from mirrors.watcher.destinations import Destination

log = structlog.get_logger(__name__)

SHORTEST_FEED_PAUSE: Final = 1.0
"""Seconds before the first retry after an error."""

LONGEST_FEED_PAUSE: Final = 30.0
"""The longest pause between retries, in seconds: the recovery of the API server is noticed within half a minute."""

FORBIDDEN_PAUSE: Final = 60.0
"""Seconds until a missing permission is checked again."""

WATCH_PAUSE: Final = 1.0
"""Seconds to wait after the API server closed a watch, so that watches that close immediately do not flood it."""


class Feed:
    """A thread for one reader. ``problem`` explains why the objects are not up to date, and what to do; empty if they
    are."""

    def __init__(self, reader: ObjectReader, destination: Destination) -> None:
        self._reader = reader
        self._destination = destination
        self._is_listed = False
        self._failures = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"watch-{reader.plural}", daemon=True)
        self.problem = ""
        self.is_forbidden = False
        self.has_listed = False

    @property
    def plural(self) -> str:
        return self._reader.plural

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Request the thread to stop, which it does after the next event of its watch."""
        self._stopping.set()

    @property
    def is_settled(self) -> bool:
        """Whether the objects have been listed once, or are forbidden to this process."""
        return self.has_listed or self.is_forbidden

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._stopping.wait(self._turn())

    def _turn(self) -> float:
        """Run one list or one watch. Return the seconds to wait before the next."""
        try:
            if not self._is_listed:
                self._list()
                return 0
            self._watch()
            return WATCH_PAUSE
        except OutdatedError:
            self._is_listed = False
            return self._failed("")
        except ForbiddenError as error:
            self.is_forbidden, self._is_listed = True, False
            self._failed(str(error))
            return FORBIDDEN_PAUSE
        except ClusterError as error:
            return self._failed(str(error))
        except Exception:
            if self._stopping.is_set():
                return 0
            log.exception("A watch failed; listing all objects again", kind=self._reader.plural)
            self._is_listed = False
            return self._failed(f"{self._reader.plural} cannot be read: see the watcher's log")

    def _list(self) -> None:
        self._destination.replace(self._reader.read_all())
        self._is_listed = self.has_listed = True
        self._succeeded()

    def _watch(self) -> None:
        for number, change in enumerate(self._reader.changes()):
            if change.event == "DELETED":
                self._destination.remove(change.object)
            elif change.object is not None:
                self._destination.put(change.object)
            # The first event does not reset the back-off: the API server may fail each watch right after its start.
            self._succeeded(is_lasting=number > 0)
            if self._stopping.is_set():
                return

    def _succeeded(self, *, is_lasting: bool = True) -> None:
        if self.problem:
            log.info("The API server can be read again", kind=self._reader.plural)
        self.problem, self.is_forbidden = "", False
        if is_lasting:
            self._failures = 0

    def _failed(self, problem: str) -> float:
        if self._stopping.is_set():
            return 0
        if problem and problem != self.problem:
            log.warning("The cluster cannot be watched completely; trying again", error=problem)
        self.problem = problem or self.problem
        self._failures += 1
        pause = min(LONGEST_FEED_PAUSE, SHORTEST_FEED_PAUSE * float(2 ** min(self._failures - 1, 5)))
        return pause * random.uniform(0.8, 1.2)
