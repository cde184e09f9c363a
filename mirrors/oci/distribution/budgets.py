"""The requests per second that this process may send to a host: its share of a budget that all workers have together.

The engine takes from the budgets. The keeper of the shares reads the `demands` and responds with `grant`; it also reads
which hosts limit requests (`pop_pauses`). Hosts without a limit only cost a dictionary lookup.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Operation = Literal[
    "request", "write", "head", "get", "put-manifest", "start-upload", "finish-upload", "delete", "transfer"
]
"""An operation with a budget. `request` is any request, `write` any that changes something, `transfer` a blob in
transfer."""

Key = tuple[str, str]
"""A host (for cloud registries, one name for all names of the registry) and an operation."""

BURST_SECONDS: Final = 0.1
"""Seconds of a share that can be caught up at a time. Without this, threads that wake late would lose their turns."""

FIRST_SHARE: Final = 0.1
"""The part of a budget for a process that was never granted a share because the database is unavailable."""

IDLE_SECONDS: Final = 3.0
"""Seconds without a request after which a share is returned. Blobs of a slow copy are seldom further apart."""

MOST_KEYS: Final = 500
"""The maximum number of budgets, and of hosts with recent requests. It is bounded because pods choose hosts."""

_UNGRANTED_WAIT: Final = 0.05
"""Seconds until a caller that waits for its first share, or for a transfer, checks again."""


@dataclass(frozen=True, slots=True)
class HostRequestLimits:
    """The limits of a host: requests per second by operation, and for `transfer` the number of concurrent blobs."""

    host: str
    limits: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Demand:
    """The demand of a process for one budget: `wanted` of its `limit`, and at least `minimum`, which is in use."""

    limit: float
    wanted: float
    minimum: float = 0.0


@dataclass(slots=True)
class _Share:
    limit: float
    granted: float | None = None
    next_at: float = 0.0
    spent: int = 0
    in_use: int = 0
    has_waited: bool = False
    used_at: float = 0.0


def operations(method: str, path: str) -> tuple[Operation, ...]:
    """Return the operations whose budgets a request of the OCI distribution API is taken from."""
    match method:
        case "HEAD":
            return ("head", "request")
        case "GET":
            return ("get", "request")
        case "PUT" if "/manifests/" in path:
            return ("put-manifest", "write", "request")
        case "PUT":
            return ("finish-upload", "write", "request")
        case "POST":
            return ("start-upload", "write", "request")
    return ("delete", "write", "request")


class RequestBudgets:
    """The shares of this process, which has one object of this class. Thread-safe. `budget_of` returns the limits of a
    host, None if it is unlimited."""

    def __init__(self, budget_of: Callable[[str], HostRequestLimits | None] = lambda host: None) -> None:
        self._budget_of = budget_of
        self._shares: dict[Key, _Share] = {}
        self._pauses: dict[str, float] = {}
        self._active_hosts: set[str] = set()
        self._lock = threading.Lock()
        self._demands_read_at = time.monotonic()
        self.has_work = threading.Event()
        """Set while there are shares to request or pauses to record."""

    def try_spend(self, host: str, names: Sequence[str]) -> float:
        """Take one from the budget of each of these operations, and return 0.0. If that is not possible now, take
        nothing, and return the seconds until the next check."""
        budget = self._budget_of(host)
        with self._lock:
            self._record_host(host)
            shares = [(op, self._share(budget, op)) for op in names if op in budget.limits] if budget else []
            now = time.monotonic()
            wait = max((_wait_for(share, op, now) for op, share in shares), default=0.0)
            for op, share in shares:
                share.used_at = now
                if wait:
                    share.has_waited = True
                else:
                    _spend(share, op, now)
            return wait

    def end_transfer(self, host: str) -> None:
        """Return the transfer that `try_spend` took from the budget."""
        budget = self._budget_of(host)
        with self._lock:
            share = self._shares.get((budget.host, "transfer")) if budget else None
            if share is not None and share.in_use:
                share.in_use -= 1

    def pause(self, host: str, seconds: float) -> None:
        """Record that the host asked its clients to wait for `seconds`."""
        with self._lock:
            if host in self._pauses or len(self._pauses) < MOST_KEYS:
                self._pauses[host] = max(time.monotonic() + seconds, self._pauses.get(host, 0.0))
            self.has_work.set()

    def pop_pauses(self) -> dict[str, float]:
        """Return the seconds left by host, of the pauses that were recorded since the last call."""
        with self._lock:
            pauses, self._pauses = self._pauses, {}
        now = time.monotonic()
        return {host: paused_until - now for host, paused_until in pauses.items() if paused_until > now}

    def pop_active_hosts(self) -> set[str]:
        """Return the hosts that requests were sent to, or waited for, since the last call."""
        with self._lock:
            active, self._active_hosts = self._active_hosts, set()
            self.has_work.clear()
            return active

    def demands(self) -> dict[Key, Demand]:
        """Return the demand for each budget, estimated from its use since the last call. Idle budgets are left out, and
        their shares are forgotten."""
        with self._lock:
            now = time.monotonic()
            seconds, self._demands_read_at = max(0.1, now - self._demands_read_at), now
            idle = [k for k, s in self._shares.items() if not s.in_use and now - s.used_at > IDLE_SECONDS]
            for key in idle:
                del self._shares[key]
            return {key: _demand(share, key[1], seconds) for key, share in self._shares.items()}

    def grant(self, shares: Mapping[Key, float]) -> None:
        """Set shares from now on: requests per second, or concurrent transfers."""
        with self._lock:
            for key, granted in shares.items():
                if key in self._shares:
                    self._shares[key].granted = granted

    def continue_without_grants(self) -> None:
        """Continue without grants, because shares cannot be granted now. Existing shares are kept, and budgets without
        a share get a small one."""
        with self._lock:
            for share in self._shares.values():
                if share.granted is None:
                    share.granted = max(1.0, share.limit * FIRST_SHARE)

    def _record_host(self, host: str) -> None:
        if len(self._active_hosts) < MOST_KEYS:
            self._active_hosts.add(host)
        if not self.has_work.is_set():
            self.has_work.set()

    def _share(self, budget: HostRequestLimits, operation: str) -> _Share:
        key = (budget.host, operation)
        share = self._shares.get(key)
        if share is None:
            share = _Share(budget.limits[operation])
            if len(self._shares) < MOST_KEYS:
                self._shares[key] = share
            else:
                share.granted = 1.0
        share.limit = budget.limits[operation]
        return share


def _wait_for(share: _Share, operation: str, now: float) -> float:
    if not share.granted:
        return _UNGRANTED_WAIT
    if operation == "transfer":
        return 0.0 if share.in_use < share.granted else _UNGRANTED_WAIT
    return max(0.0, share.next_at - now)


def _spend(share: _Share, operation: str, now: float) -> None:
    share.spent += 1
    if operation == "transfer":
        share.in_use += 1
    else:
        assert share.granted
        share.next_at = max(share.next_at, now - BURST_SECONDS) + 1 / share.granted


def _demand(share: _Share, operation: str, seconds: float) -> Demand:
    """Return the demand: the whole limit if a request had to wait, else one and a half times what was used."""
    used = float(share.in_use) if operation == "transfer" else share.spent / seconds
    desired = share.limit if share.has_waited else min(share.limit, max(1.0, used * 1.5))
    share.spent, share.has_waited = 0, False
    return Demand(share.limit, desired, minimum=float(share.in_use))
