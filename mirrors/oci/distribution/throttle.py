"""The gate in front of each registry: limits the requests in flight, and delays requests after a 429.

The requests per second of all workers are limited in budgets.py; the gate takes from its budgets for each request.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from mirrors.oci.common.calls import POLL_SECONDS, Call
from mirrors.oci.common.errors import RegistryError
from mirrors.oci.distribution.budgets import RequestBudgets

MAX_IDLE_HOSTS = 512
"""Hosts that are remembered without a request in flight: pods choose the hosts."""
TRANSFER = ("transfer",)

BlobSize = Literal["large", "small"]
"""The size class of a blob that is transferred: a large one needs its slot for longer."""


@dataclass(slots=True)
class _Host:
    """One host: its requests in flight, how many of them transfer blobs, how many of those large ones, and the
    limits."""

    limit: int
    bulk_limit: int
    in_flight: int = 0
    bulk: int = 0
    transfers: int = 0
    paused_until: float = 0.0
    resumed_at: float = 0.0
    next_at: float = 0.0

    @property
    def transfer_limit(self) -> int:
        return max(1, self.limit - max(1, self.limit // 8))

    def limit_for(self, blob: BlobSize | None) -> int:
        if blob is None:
            return self.limit
        return min(self.transfer_limit, self.bulk_limit) if blob == "large" else self.transfer_limit

    def has_capacity(self, count: int, blob: BlobSize | None) -> bool:
        return (
            self.in_flight + count <= self.limit
            and (blob is None or self.transfers + count <= self.transfer_limit)
            and (blob != "large" or self.bulk + count <= self.bulk_limit)
        )

    def add(self, count: int, blob: BlobSize | None) -> None:
        """Take `count` slots; a negative count releases them."""
        self.in_flight += count
        self.transfers += count if blob else 0
        self.bulk += count if blob == "large" else 0


class Gate:
    """Slots for requests to each host. Large blobs never take the last quarter of the slots, and transfers of blobs
    never the last eighth, so that HEADs and manifests always get through.

    All slots of one `hold` are taken together: otherwise, two copies in opposite directions could each hold one side
    and wait for the other forever.
    """

    def __init__(
        self,
        limit: int,
        *,
        inline_wait: float,
        per_second: float | None = None,
        budgets: RequestBudgets | None = None,
    ) -> None:
        self._limit = limit
        self._bulk_limit = max(1, limit - max(1, limit // 4))
        self._inline_wait = inline_wait
        self._spacing = 1 / per_second if per_second else 0.0
        self._budgets = budgets or RequestBudgets()
        self._hosts: dict[str, _Host] = {}
        self._changed = threading.Condition()

    @contextmanager
    def hold(
        self,
        hosts: Sequence[str],
        call: Call,
        *,
        blob: BlobSize | None = None,
        operations: Sequence[str] = (),
    ) -> Iterator[None]:
        """Hold one slot at each of `hosts` inside the block (the same host twice takes two). Waits for the slots, and
        for the budgets of `operations` at the first host; to transfer a `blob`, for the transfer budget of each host
        instead. Raises RegistryError `rate-limited` if a host is limited for longer than the call waits."""
        with self._changed:
            slots = {host: min(count, self._host(host).limit_for(blob)) for host, count in Counter(hosts).items()}
            while wait := self._try_acquire(slots, blob, operations):
                self._changed.wait(call.remaining(min(wait, self._time_to_next_check(slots, call))))
                call.check(hosts[0])
        try:
            yield
        finally:
            with self._changed:
                for host, count in slots.items():
                    self._release(host, count, blob)
                self._changed.notify_all()

    def spend(self, host: str, call: Call, operations: Sequence[str]) -> None:
        """Wait for the budgets of a request whose slot the caller already holds."""
        while wait := self._budgets.try_spend(host, operations):
            call.sleep(min(wait, POLL_SECONDS), host)

    def pause(self, host: str, seconds: float) -> None:
        """Let no request to this host pass for `seconds`."""
        with self._changed:
            state = self._host(host)
            state.paused_until = max(state.paused_until, time.monotonic() + seconds)

    def end_pause(self, host: str) -> None:
        """End any pause of the host. Requests that are waiting for its end continue."""
        with self._changed:
            state = self._host(host)
            state.paused_until, state.resumed_at = 0.0, time.monotonic()
            self._changed.notify_all()

    def sleep(self, host: str, seconds: float, call: Call) -> None:
        """Sleep for `seconds`, or until the pause of the host is ended."""
        started = time.monotonic()
        while (remaining := started + seconds - time.monotonic()) > 0 and self._resumed_at(host) < started:
            call.sleep(min(remaining, POLL_SECONDS), host)

    def _resumed_at(self, host: str) -> float:
        with self._changed:
            return self._host(host).resumed_at

    def raise_limits(self, host: str, *, bulk: int, small: int) -> None:
        """Raise the limits of a target, which is the operator's own: all blob threads can write to it at the same time,
        so that no source can occupy all its slots."""
        with self._changed:
            state = self._host(host)
            state.bulk_limit = max(state.bulk_limit, bulk)
            state.limit = max(state.limit, state.bulk_limit + small)

    def _host(self, host: str) -> _Host:
        state = self._hosts.get(host)
        if state is None:
            state = self._hosts[host] = _Host(self._limit, self._bulk_limit)
        return state

    def resume(self, host: str) -> None:
        """End a pause that is longer than calls wait, because the caller knows that the host accepts requests again."""
        with self._changed:
            state = self._hosts.get(host)
            if state is not None and state.paused_until - time.monotonic() > self._inline_wait:
                state.paused_until = 0.0
                self._changed.notify_all()

    def _try_acquire(self, slots: dict[str, int], blob: BlobSize | None, operations: Sequence[str]) -> float:
        """Take everything and return 0.0, or take nothing and return the seconds until the next check."""
        now = time.monotonic()
        states = [(self._host(host), count) for host, count in slots.items()]
        for state, count in states:
            if not state.has_capacity(count, blob) or now < state.paused_until or now < state.next_at:
                return POLL_SECONDS
        if wait := self._try_spend_budgets(list(slots), blob, operations):
            return wait
        for state, count in states:
            state.add(count, blob)
            state.next_at = now + self._spacing * count
        return 0.0

    def _try_spend_budgets(self, hosts: Sequence[str], blob: BlobSize | None, operations: Sequence[str]) -> float:
        if blob is None:
            return self._budgets.try_spend(hosts[0], operations)
        for index, host in enumerate(hosts):
            if wait := self._budgets.try_spend(host, TRANSFER):
                for held_host in hosts[:index]:
                    self._budgets.end_transfer(held_host)
                return wait
        return 0.0

    def _time_to_next_check(self, slots: dict[str, int], call: Call) -> float:
        """Return the seconds until the next check. Raises RegistryError if a pause is longer than the call waits."""
        now = time.monotonic()
        wait = POLL_SECONDS
        for host in slots:
            remaining = self._hosts[host].paused_until - now
            if remaining > call.remaining(self._inline_wait):
                raise RegistryError(
                    "rate-limited",
                    f"{host} is rate limited for another {remaining:.0f} s",
                    host=host,
                    retry_after=remaining,
                )
            due = max(remaining, self._hosts[host].next_at - now)
            wait = min(wait, due) if due > 0 else wait
        return wait

    def _release(self, host: str, count: int, blob: BlobSize | None) -> None:
        state = self._hosts[host]
        state.add(-count, blob)
        if blob:
            self._budgets.end_transfer(host)
        if len(self._hosts) > MAX_IDLE_HOSTS and not state.in_flight and state.paused_until < time.monotonic():
            del self._hosts[host]
