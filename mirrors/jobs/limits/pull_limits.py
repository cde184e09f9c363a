"""The pull limits of accounts, as registries such as Docker Hub report them, and the reserve for copies that pods need.

Such a registry counts each GET of a manifest as a pull, but no HEAD. When few pulls remain, background copies from it
wait, so that the remaining pulls are available to copies that pods wait for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from django.db.models.functions import Now
from django.utils.crypto import salted_hmac

from mirrors.jobs.timing import from_now
from mirrors.models import PULLS, HostBudget, Priority
from mirrors.oci.common.access import DOCKER_HUB
from mirrors.oci.distribution.headers import PullLimit
from mirrors.vocabulary.bounds import HOST_LENGTH, LARGEST_INTEGER, storable, within

MOST_HOSTS_HELD: Final = 100
"""The maximum number of accounts whose limits a process remembers, because redirects can lead to any number of
hosts."""

RECHECK_SECONDS: Final = 600.0
"""Seconds after which background copies check again how many pulls remain: Docker Hub's six-hour window is sliding."""

OVERTAKING_SECONDS: Final = 1.0
"""Seconds within which the response with the lower number counts as the newer one, because responses can arrive out of
order."""

FIRST_BACKGROUND_PRIORITY: Final = Priority.OPERATOR
"""Copies with this priority value or a higher one are background copies: no pod waits for them."""

HASH_CHARACTERS: Final = 12
"""The length of an account's hash, which distinguishes its rows: 48 bits for at most a few hundred accounts."""

Account = tuple[str, str]
"""Host and username; the username is empty without credentials."""


@dataclass(frozen=True, slots=True)
class _ReportedLimit:
    limit: PullLimit
    at: float


class PullLimits:
    """The pull limits that registries reported to this process. Any thread can call ``record``; only threads with a
    database connection call ``write``. ``username_of`` returns the username with which copies read from a host, or an
    empty string; ``reserve`` returns the percentage of pulls that background copies leave, with or without
    authentication."""

    def __init__(
        self,
        username_of: Callable[[str], str] = lambda host: "",
        reserve: Callable[[bool], int] = lambda authenticated: 0,
    ) -> None:
        self._username_of = username_of
        self._reserve = reserve
        self._lock = threading.Lock()
        self._reported: dict[Account, _ReportedLimit] = {}
        self._unsaved: set[Account] = set()
        self._read: set[str] = set()

    def record(self, host: str, limit: PullLimit, username: str = "") -> None:
        with self._lock:
            previous, now = self._reported.get((host, username)), time.monotonic()
            if (
                previous is not None
                and now - previous.at < OVERTAKING_SECONDS
                and previous.limit.remaining < limit.remaining
            ):
                return
            self._reported.pop((host, username), None)
            self._reported[host, username] = _ReportedLimit(limit, now)
            self._unsaved.add((host, username))
            # The number is bounded, because pods choose the hosts. The account that was silent longest is dropped.
            if len(self._reported) > MOST_HOSTS_HELD:
                dropped = next(iter(self._reported))
                del self._reported[dropped]
                self._unsaved.discard(dropped)
                self._read.discard(dropped[0])

    def record_read(self, host: str) -> None:
        """Record that a manifest was read from this host: if the host reported a limit, that limit is known by now."""
        with self._lock:
            if len(self._read) < MOST_HOSTS_HELD:
                self._read.add(host)

    def is_uncounted(self, host: str) -> bool:
        """Return whether reading a manifest from this host is known not to count as a pull."""
        with self._lock:
            return host in self._read and host != DOCKER_HUB and all(name != host for name, _ in self._reported)

    def is_low(self, host: str) -> bool:
        """Return whether background copies from this host must wait, according to the last reported limit."""
        username = self._username_of(host)
        with self._lock:
            reported = self._reported.get((host, username))
        is_recent = reported is not None and time.monotonic() - reported.at < RECHECK_SECONDS
        return reported is not None and is_recent and self._is_low(username, reported.limit)

    def write(self) -> None:
        """Save the limits that registries have reported since the last call."""
        with self._lock:
            new = {account: self._reported[account].limit for account in sorted(self._unsaved)}
            self._unsaved.clear()
        HostBudget.objects.bulk_create(
            [self._row(host, username, limit) for (host, username), limit in new.items()],
            update_conflicts=True,
            unique_fields=["host", "credential", "operation"],
            update_fields=["remaining", "pull_limit", "held_from", "held_until", "updated_at"],
        )

    def _row(self, host: str, username: str, limit: PullLimit) -> HostBudget:
        own_username = self._username_of(host)
        must_wait = username == own_username and self._is_low(username, limit)
        return HostBudget(
            host=storable(host, HOST_LENGTH),
            operation=PULLS,
            credential=username if username == own_username else _masked_account(host, username),
            remaining=within(limit.remaining, LARGEST_INTEGER),
            pull_limit=None if limit.limit is None else within(limit.limit, LARGEST_INTEGER),
            held_from=FIRST_BACKGROUND_PRIORITY if must_wait else None,
            held_until=from_now(RECHECK_SECONDS) if must_wait else None,
            updated_at=Now(),
        )

    def _is_low(self, username: str, limit: PullLimit) -> bool:
        percent = self._reserve(bool(username))
        return limit.limit is not None and limit.remaining * 100 < limit.limit * percent


def _masked_account(host: str, username: str) -> str:
    """Return a label for the account of a namespace's pull secret that does not reveal its username; empty if
    anonymous."""
    if not username:
        return ""
    return f"pull secret {salted_hmac('pull-limits', f'{host} {username}').hexdigest()[:HASH_CHARACTERS]}"
