"""What was granted at one origin: the header to send, until when, and for which credentials."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from typing import Final

from mirrors.oci.distribution.challenges import Challenge


@dataclass(frozen=True, slots=True)
class Authorization:
    """A header value. `fresh` means it was made for this very request, so a refusal is about the credential;
    `has_credentials` that it was issued for some, and is not an anonymous token."""

    header: str | None = field(repr=False)
    fresh: bool = False
    has_credentials: bool = False
    username: str = ""
    """Of those credentials."""


NO_AUTHORIZATION: Final = Authorization(None)


@dataclass(slots=True)
class AuthSession:
    """What one access may do at one origin in one set of scopes. Only touched while its lock is held."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    credential: int = 0
    header: str | None = None
    has_credentials: bool = False
    username: str = ""
    expires_at: float = 0.0
    issued_at: float = -math.inf
    """Of a token."""
    challenge: Challenge | None = None
    """The one that the token was requested for."""
    is_advance: bool = False
    """Whether it was requested before the registry asked for it in these scopes."""
    password: str | None = None

    @property
    def authorization(self) -> Authorization | None:
        """What is kept of it, while that is valid."""
        if self.header is None or time.monotonic() >= self.expires_at:
            return None
        return self.authorized(fresh=False)

    def authorized(self, *, fresh: bool) -> Authorization:
        return Authorization(self.header, fresh, self.has_credentials, self.username)
