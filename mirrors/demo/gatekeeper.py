"""Authentication of a temporary registry: HTTP Basic, or bearer tokens as in Docker's registries."""

from __future__ import annotations

import base64
import hmac
import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import Literal


@dataclass(slots=True)
class Gatekeeper:
    """Authentication with one account. For tokens, the realm is `/token` on the same server; anonymous clients get
    tokens for pulls if `anonymous_pull` is true. `lifetime` is the lifetime of tokens in seconds."""

    kind: Literal["basic", "token"]
    username: str
    password: str = field(repr=False)
    anonymous_pull: bool = False
    lifetime: float = 300.0
    _tokens: dict[str, tuple[float, frozenset[str]]] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def challenge(self, host: str, scope: str) -> str:
        if self.kind == "basic":
            return 'Basic realm="registry"'
        return f'Bearer realm="http://{host}/token",service="{host}",scope="{scope}"'

    def is_allowed(self, authorization: str, scope: str) -> bool:
        if self.kind == "basic":
            return self.is_account(authorization)
        with self._lock:
            expires_at, granted = self._tokens.get(authorization.removeprefix("Bearer "), (0.0, frozenset[str]()))
        return time.monotonic() < expires_at and scope in granted

    def is_account(self, authorization: str) -> bool:
        expected = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return hmac.compare_digest(authorization, f"Basic {expected}")

    def issue(self, authorization: str, scopes: list[str]) -> str | None:
        """Return a token for the permitted part of `scopes`; None for wrong credentials."""
        if authorization and not self.is_account(authorization):
            return None
        granted: set[str] = set()
        for scope in scopes:
            name, _, actions = scope.rpartition(":")
            allowed = {"pull", "push"} if authorization else ({"pull"} if self.anonymous_pull else set())
            granted |= {f"{name}:{action}" for action in actions.split(",") if action in allowed}
        token = secrets.token_urlsafe(24)
        with self._lock:
            self._tokens[token] = (time.monotonic() + self.lifetime, frozenset(granted))
        return token

    def revoke_all(self) -> None:
        with self._lock:
            self._tokens.clear()
