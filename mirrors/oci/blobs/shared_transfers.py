"""One transfer per target repository and blob, even if several images wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from mirrors.oci.blobs.pools import FairPool, Parties
from mirrors.oci.common.calls import Call
from mirrors.oci.common.errors import CopyCancelledError
from mirrors.oci.common.progress import TransferMethod

BlobKey = tuple[str, str, str]
"""Registry, repository, digest."""


@dataclass(slots=True)
class _Task:
    future: Future[TransferMethod] = field(default_factory=Future)
    calls: list[Call] = field(default_factory=list)

    def is_cancelled(self) -> bool:
        return all(call.is_cancelled for call in self.calls)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A caller's share in a transfer. `is_owner`: the transfer was started for this caller, with its credentials. The
    failure of another caller's transfer does not count for this caller."""

    future: Future[TransferMethod]
    is_owner: bool


class SharedTransfers:
    """The transfers in progress. Thread-safe. A transfer stops when no call waits for it, not when its first image is
    cancelled."""

    def __init__(self, large: FairPool, small: FairPool) -> None:
        self._pools = {True: small, False: large}
        self._tasks: dict[BlobKey, _Task] = {}
        self._lock = threading.Lock()

    def join(
        self,
        key: BlobKey,
        call: Call,
        parties: Parties,
        transfer: Callable[[Call], TransferMethod],
        *,
        small: bool = False,
    ) -> Ticket:
        """Join a transfer that is in progress, or start one: `transfer` runs on the pool for `small` blobs or on that
        for large ones, so that neither kind waits for the other."""
        with self._lock:
            task = self._tasks.get(key)
            if task is not None and not task.is_cancelled():
                task.calls.append(call)
                return Ticket(task.future, is_owner=False)
            task = self._tasks[key] = _Task(calls=[call])
            self._pools[small].submit(parties, lambda: self._run(key, task, transfer))
            return Ticket(task.future, is_owner=True)

    def _run(self, key: BlobKey, task: _Task, transfer: Callable[[Call], TransferMethod]) -> None:
        try:
            if task.is_cancelled():
                raise CopyCancelledError
            method = transfer(Call(cancelled=task.is_cancelled))
        except BaseException as error:
            self._forget(key, task)
            task.future.set_exception(error)
        else:
            self._forget(key, task)
            task.future.set_result(method)

    def _forget(self, key: BlobKey, task: _Task) -> None:
        with self._lock:
            if self._tasks.get(key) is task:
                del self._tasks[key]
