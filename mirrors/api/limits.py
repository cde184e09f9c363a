"""How many requests a minute: counted for each token, user or address, over all processes, and told in headers.

One statement a request, in the database. Where the database does not answer nobody is refused for it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings
from django.core.cache import caches
from django.db import DatabaseError
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from mirrors.accounts.counters import network_of
from mirrors.accounts.models import ApiToken

WINDOW: Final = 60
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a client stands: ``remaining`` of ``limit``, and when its window ends, in seconds from now."""

    policy: str
    limit: int
    used: int
    seconds: int

    @property
    def is_exceeded(self) -> bool:
        return self.used > self.limit

    def headers(self) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers has them."""
        left = max(0, self.limit - self.used)
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.limit};w={WINDOW}',
            "RateLimit": f'"{self.policy}";r={left};t={self.seconds}',
        }


class RequestLimit(BaseThrottle):
    """DRF's hook for requests that are let in."""

    def __init__(self) -> None:
        self._standing: Standing | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        self._standing = charge(request)
        return self._standing is None or not self._standing.is_exceeded

    def wait(self) -> float | None:
        return float(self._standing.seconds) if self._standing else None


class LimitHeadersMiddleware:
    """Writes where the client stands on the answer, whatever the answer is."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        standing: Standing | None = getattr(request, "rate_standing", None)
        if standing is not None:
            for name, value in standing.headers().items():
                response.headers[name] = value
        return response


def charge(request: Request) -> Standing | None:
    """Count a request once, however often it is asked; None where there is no limit, or no database."""
    django_request = request._request
    if not hasattr(django_request, "rate_standing"):
        django_request.rate_standing = _count(*_client(request))  # type: ignore[attr-defined]
    standing: Standing | None = django_request.rate_standing  # type: ignore[attr-defined]
    return standing


def _client(request: Request) -> tuple[str, str]:
    """Under which policy it goes, and who it is."""
    # Neither is asked for again where coming in has failed.
    user, token = getattr(request, "_user", None), getattr(request, "_auth", None)
    if isinstance(token, ApiToken):
        return "token", hashlib.sha256(token.pk.encode()).hexdigest()[:32]
    if user is not None and user.is_authenticated:
        return "user", str(user.pk)
    return "anonymous", network_of(request.META.get("REMOTE_ADDR", ""))


def _count(policy: str, client: str) -> Standing | None:
    environment = settings.ENVIRONMENT
    limit = environment.api_anonymous_per_minute if policy == "anonymous" else environment.api_requests_per_minute
    if not limit:
        return None
    try:
        count = caches["limits"].count(f"{policy}:{client}", seconds=WINDOW)  # type: ignore[attr-defined]
    except DatabaseError:
        return None
    left = (count.ends_at - datetime.now(tz=UTC)).total_seconds()
    return Standing(policy, limit, count.number, max(1, math.ceil(left)))
