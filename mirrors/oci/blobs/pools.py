"""Thread pools that are shared fairly, so that one image's slow registry does not delay the other images."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

Parties = tuple[str, ...]
"""The parties on whose behalf a task runs: a namespace, a source host."""


class FairPool:
    """Threads that always take a task of the parties with the fewest running tasks. No party takes more than three
    quarters of the threads, so that others find some free immediately, and soon have half."""

    def __init__(self, threads: int, *, name: str) -> None:
        self._size = threads
        self._share = max(1, threads - threads // 4)
        self._name = name
        self._waiting: dict[Parties, deque[Callable[[], None]]] = {}
        self._running: Counter[str] = Counter()
        self._threads: list[threading.Thread] = []
        self._idle = 0
        self._closed = False
        self._changed = threading.Condition()

    def submit(self, parties: Parties, run: Callable[[], None]) -> None:
        """Queue a task. `run` must not raise. Raises RuntimeError once the pool is closed."""
        with self._changed:
            if self._closed:
                raise RuntimeError("the pool is closed")
            self._waiting.setdefault(parties, deque()).append(run)
            # A thread that was notified counts as idle until it wakes up, so more tasks than idle threads can wait.
            if len(self._threads) < self._size and sum(map(len, self._waiting.values())) > self._idle:
                name = f"{self._name}-{len(self._threads)}"
                self._threads.append(threading.Thread(target=self._work, name=name, daemon=True))
                self._threads[-1].start()
            self._changed.notify()

    def shutdown(self) -> None:
        """Drop waiting tasks, and do not wait for running ones."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        while (task := self._next()) is not None:
            parties, run = task
            try:
                run()
            finally:
                # No thread is notified: this thread takes the task that had to wait for this one.
                with self._changed:
                    self._running.subtract(parties)
                    self._running += Counter()

    def _next(self) -> tuple[Parties, Callable[[], None]] | None:
        with self._changed:
            while not self._closed:
                ready = [(self._load(parties), parties) for parties in self._waiting]
                load, parties = min(ready, key=lambda entry: entry[0], default=(self._share, ()))
                if load < self._share:
                    tasks = self._waiting[parties]
                    run = tasks.popleft()
                    if not tasks:
                        del self._waiting[parties]
                    self._running.update(parties)
                    return parties, run
                self._idle += 1
                self._changed.wait()
                self._idle -= 1
            return None

    def _load(self, parties: Parties) -> int:
        return max((self._running[party] for party in parties), default=0)


class PoolShare(Executor):
    """A part of a pool: at most `limit` tasks run at the same time. The others wait here, not in the pool's own
    queue."""

    def __init__(self, pool: Executor, limit: int) -> None:
        self._pool = pool
        self._limit = limit
        self._running = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._lock = threading.Lock()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future: Future[T] = Future()

        def run() -> None:
            try:
                future.set_result(fn(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)

        with self._lock:
            if self._running >= self._limit:
                self._waiting.append(run)
                return future
            self._running += 1
        self._pool.submit(self._work, run)
        return future

    def _work(self, run: Callable[[], None]) -> None:
        """Run one task after the other, as long as some wait."""
        task: Callable[[], None] | None = run
        while task is not None:
            task()
            with self._lock:
                task = self._waiting.popleft() if self._waiting else None
                if task is None:
                    self._running -= 1
