"""The authorization at one origin: the header to send, its expiry, and the credentials that it was issued for."""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from typing import Final

from mirrors.oci.distribution.challenges import Challenge


@dataclass(frozen=True, slots=True)
class Authorization:
    """The value of an Authorization header. `fresh` means that it was created for this very request, so a refusal is
    about the credential; `has_credentials` means that it was issued for credentials, and is not an anonymous token."""

    header: str | None = field(repr=False)
    fresh: bool = False
    has_credentials: bool = False
    username: str = ""
    """The username of those credentials."""


NO_AUTHORIZATION: Final = Authorization(None)


@dataclass(slots=True)
class AuthSession:
    """The authorization of one access at one origin for one set of scopes. Only changed while its lock is held."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    credential: int = 0
    header: str | None = None
    has_credentials: bool = False
    username: str = ""
    expires_at: float = 0.0
    issued_at: float = -math.inf
    """When the token was issued, in monotonic seconds."""
    challenge: Challenge | None = None
    """The challenge that the token was requested for."""
    is_preemptive: bool = False
    """Whether the token was requested before the registry sent a challenge for these scopes."""
    password: str | None = None

    @property
    def authorization(self) -> Authorization | None:
        """The stored authorization while it is valid, else None."""
        if self.header is None or time.monotonic() >= self.expires_at:
            return None
        return self.to_authorization(fresh=False)

    def to_authorization(self, *, fresh: bool) -> Authorization:
        return Authorization(self.header, fresh, self.has_credentials, self.username)
