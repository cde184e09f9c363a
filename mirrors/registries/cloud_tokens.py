"""Tokens that clouds issue for some hours. They are renewed before they expire, and used until they are renewed."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from weakref import WeakSet

import structlog

from mirrors.oci import Credential, Issued, RegistryError

log = structlog.get_logger(__name__)

RENEWED_AFTER: Final = 0.6
"""The share of its lifetime after which a token is renewed. Renewals can fail for the rest without consequences."""

RETRY_PAUSES: Final = (1.0, 60.0)
"""Seconds between failed attempts: the first pause, and the longest one."""

YOUNG_TOKEN_SECONDS: Final = 30.0
"""Seconds for which a new token is not replaced when a registry refuses it, because it lacks a permission and has not
expired."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token as a cloud issued it. ``lifetime`` is in seconds from now."""

    username: str
    password: str = field(repr=False)
    lifetime: float


class TokenKeeper:
    """Keeps the newest token and renews it; a :class:`mirrors.oci.CredentialSource`.

    ``fetch`` requests a token with its own timeouts, and raises RegistryError, whose text describes what to do. It runs
    in a thread that the first ``issue`` starts, and so never before a fork.
    """

    def __init__(self, fetch: Callable[[], Token], *, host: str, retry: tuple[float, float] = RETRY_PAUSES) -> None:
        self._fetch = fetch
        self._host = host
        self._retry = retry
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._token: Token | None = None
        self._issued_at = 0.0
        self._attempts = 0
        self._problem: RegistryError | None = None
        self._is_requested = False
        self._is_closed = False
        _keepers.add(self)

    def close(self) -> None:
        """Stop the renewals."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def issue(self, *, timeout: float, refused: str | None = None) -> Issued:
        deadline = time.monotonic() + timeout
        with self._changed:
            self._start()
            previous, attempts = self._token, self._attempts
            if self._is_usable(refused):
                return self._issued(fresh=False)
            self._is_requested = True
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._token is not previous or self._attempts > attempts, max(0.0, deadline - time.monotonic())
            )
            if self._token is not None and self._token is not previous:
                return self._issued(fresh=True)
            if self._token is not None and not self._is_expired():
                return self._issued(fresh=False)
            raise self._problem or RegistryError(
                "credential",
                f"the registry token for {self._host} was not issued in time; the request is retried",
                host=self._host,
            )

    @property
    def problem(self) -> RegistryError | None:
        """The error of the last renewal; None if it succeeded."""
        return self._problem

    def _is_usable(self, refused: str | None) -> bool:
        if self._token is None or self._is_expired():
            return False
        return refused != self._token.password or time.monotonic() - self._issued_at < YOUNG_TOKEN_SECONDS

    def _is_expired(self) -> bool:
        return self._token is not None and time.monotonic() >= self._issued_at + self._token.lifetime

    def _issued(self, *, fresh: bool) -> Issued:
        assert self._token is not None
        credential = Credential(self._token.username, self._token.password)
        return Issued(credential, self._issued_at + self._token.lifetime, fresh)

    def _start(self) -> None:
        """Start the thread, also in a forked child, which does not inherit threads."""
        if self._thread is None or not self._thread.is_alive():
            self._is_closed = False
            self._thread = threading.Thread(target=self._run, name=f"token {self._host}", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        failures = 0
        while not self._is_closed:
            requested_at = time.monotonic()
            try:
                token = self._fetch()
            except Exception as error:
                failures += 1
                self._record_failure(error, failures)
                pause = min(self._retry[1], self._retry[0] * 2 ** min(failures - 1, 10)) * random.uniform(0.7, 1.0)
            else:
                failures = 0
                self._record_token(token, requested_at)
                pause = token.lifetime * RENEWED_AFTER * random.uniform(0.9, 1.0)
            self._wait_for_next_attempt(pause, minimum=self._retry[0] if failures else 0.0)

    def _wait_for_next_attempt(self, pause: float, *, minimum: float) -> None:
        """Wait until the next attempt is due, or one is requested. While the cloud fails, a request starts none before
        ``minimum`` seconds have passed."""
        start = time.monotonic()
        with self._changed:
            # The attempt that has just ended serves all requests until now.
            self._is_requested = False
            while not self._is_closed:
                deadline = start + (min(pause, minimum) if self._is_requested else pause)
                if (remaining := deadline - time.monotonic()) <= 0:
                    return
                self._changed.wait(remaining)

    def _record_token(self, token: Token, issued_at: float) -> None:
        if self._problem is not None:
            log.info("The token for a registry was renewed after a failure", host=self._host)
        with self._changed:
            self._token, self._issued_at, self._problem = token, issued_at, None
            self._attempts += 1
            self._changed.notify_all()

    def _record_failure(self, error: Exception, failures: int) -> None:
        if isinstance(error, RegistryError):
            problem = error
            log.warning("The token for a registry was not renewed", host=self._host, error=str(error), tries=failures)
        else:
            problem = RegistryError(
                "credential",
                f"the token for {self._host} could not be created ({type(error).__name__}); see the worker's log",
                host=self._host,
            )
            log.exception("The token for a registry was not renewed", host=self._host, tries=failures)
        with self._changed:
            self._problem = problem
            self._attempts += 1
            self._changed.notify_all()


_keepers: WeakSet[TokenKeeper] = WeakSet()


def close_all() -> None:
    """Stop the renewals of all tokens in this process."""
    for keeper in list(_keepers):
        keeper.close()
