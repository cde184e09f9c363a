"""What this process may send to a host each second: its share of a budget that all workers have together.

The engine spends here. Who grants the shares hears what was wanted (`demands`) and answers with `grant`; it also hears
of hosts that limit requests (`take_pauses`). Hosts without a limit cost a look into a dictionary.
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
"""What budgets are for. `request` is any request, `write` all that change something, `transfer` a blob under way."""

Key = tuple[str, str]
"""Host (of clouds: one name for all names of the registry) and operation."""

BURST_SECONDS: Final = 0.1
"""How much of a share may be caught up at once: threads that wake late would otherwise lose their turns."""

FIRST_SHARE: Final = 0.1
"""Of a budget, for a process that was never granted a share because the database cannot be reached."""

IDLE_SECONDS: Final = 3.0
"""After so long without a request a share is given back; blobs of a slow copy are seldom further apart."""

MOST_KEYS: Final = 500
"""Budgets known at a time, and hosts talked to: pods choose hosts."""

_UNGRANTED_WAIT: Final = 0.05
"""Seconds until somebody looks again who waits for the first share."""


@dataclass(frozen=True, slots=True)
class HostRequestLimits:
    """The limits of a host: requests a second by operation, and `transfer` as a number of blobs at the same time."""

    host: str
    limits: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Demand:
    """What a process wants of one budget: `wanted` of its `limit`, at least `minimum`, which is in use."""

    limit: float
    wanted: float
    minimum: float = 0.0


@dataclass(slots=True)
class _Share:
    limit: float
    granted: float | None = None
    next_at: float = 0.0
    taken: int = 0
    in_use: int = 0
    has_waited: bool = False
    used_at: float = 0.0


def operations(method: str, path: str) -> tuple[Operation, ...]:
    """The budgets that a request of the OCI distribution API is taken from."""
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
    """Thread-safe; one a process. `budget_of` says which limits a host has; none: unlimited."""

    def __init__(self, budget_of: Callable[[str], HostRequestLimits | None] = lambda host: None) -> None:
        self._budget_of = budget_of
        self._shares: dict[Key, _Share] = {}
        self._pauses: dict[str, float] = {}
        self._talked: set[str] = set()
        self._lock = threading.Lock()
        self._asked_at = time.monotonic()
        self.wanted = threading.Event()
        """Set while somebody should ask for shares, or write pauses down."""

    def take(self, host: str, spent: Sequence[str]) -> float:
        """Takes one of each of these operations' budgets: 0.0. Else takes nothing: seconds until it is worth another
        look."""
        budget = self._budget_of(host)
        with self._lock:
            self._talk(host)
            mine = [(op, self._share(budget, op)) for op in spent if op in budget.limits] if budget else []
            now = time.monotonic()
            wait = max((_wait_for(share, op, now) for op, share in mine), default=0.0)
            for op, share in mine:
                share.used_at = now
                if wait:
                    share.has_waited = True
                else:
                    _spend(share, op, now)
            return wait

    def end_transfer(self, host: str) -> None:
        """Gives back what `take` of `transfer` took."""
        budget = self._budget_of(host)
        with self._lock:
            share = self._shares.get((budget.host, "transfer")) if budget else None
            if share is not None and share.in_use:
                share.in_use -= 1

    def pause(self, host: str, seconds: float) -> None:
        """The host asked everybody to wait for so long."""
        with self._lock:
            if host in self._pauses or len(self._pauses) < MOST_KEYS:
                self._pauses[host] = max(time.monotonic() + seconds, self._pauses.get(host, 0.0))
            self.wanted.set()

    def take_pauses(self) -> dict[str, float]:
        """Seconds left by host, of what was heard since the last call."""
        with self._lock:
            pauses, self._pauses = self._pauses, {}
        now = time.monotonic()
        return {host: until - now for host, until in pauses.items() if until > now}

    def take_talked(self) -> set[str]:
        """Hosts that were talked to, or waited for, since the last call."""
        with self._lock:
            talked, self._talked = self._talked, set()
            self.wanted.clear()
            return talked

    def demands(self) -> dict[Key, Demand]:
        """What is wanted of each budget, by what was used since the last call; budgets that nobody uses are left out,
        and their shares forgotten."""
        with self._lock:
            now = time.monotonic()
            seconds, self._asked_at = max(0.1, now - self._asked_at), now
            idle = [k for k, s in self._shares.items() if not s.in_use and now - s.used_at > IDLE_SECONDS]
            for key in idle:
                del self._shares[key]
            return {key: _demand(share, key[1], seconds) for key, share in self._shares.items()}

    def grant(self, shares: Mapping[Key, float]) -> None:
        """From now on: requests a second, or transfers at a time."""
        with self._lock:
            for key, granted in shares.items():
                if key in self._shares:
                    self._shares[key].granted = granted

    def go_on(self) -> None:
        """Nobody can grant anything now: shares stay as they are, and who has none gets a small one."""
        with self._lock:
            for share in self._shares.values():
                if share.granted is None:
                    share.granted = max(1.0, share.limit * FIRST_SHARE)

    def _talk(self, host: str) -> None:
        if len(self._talked) < MOST_KEYS:
            self._talked.add(host)
        if not self.wanted.is_set():
            self.wanted.set()

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
    share.taken += 1
    if operation == "transfer":
        share.in_use += 1
    else:
        assert share.granted
        share.next_at = max(share.next_at, now - BURST_SECONDS) + 1 / share.granted


def _demand(share: _Share, operation: str, seconds: float) -> Demand:
    """All of the limit where somebody had to wait; else half as much again as was used."""
    used = float(share.in_use) if operation == "transfer" else share.taken / seconds
    wanted = share.limit if share.has_waited else min(share.limit, max(1.0, used * 1.5))
    share.taken, share.has_waited = 0, False
    return Demand(share.limit, wanted, minimum=float(share.in_use))
