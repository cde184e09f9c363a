"""Rate limits of the API: requests per minute for each token, user or address, counted across all processes and
reported in response headers.

Counting takes one database statement per request. If the database does not respond, the limits do not apply.
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

LIMIT_WINDOW: Final = 60
"""The length of the window of a limit, in seconds."""


@dataclass(frozen=True, slots=True)
class LimitUsage:
    """The requests of a client in its current window; ``seconds`` is the time until the window ends."""

    policy: str
    limit: int
    used: int
    seconds: int

    @property
    def is_exceeded(self) -> bool:
        return self.used > self.limit

    def headers(self) -> dict[str, str]:
        """Return the headers of draft-ietf-httpapi-ratelimit-headers."""
        remaining = max(0, self.limit - self.used)
        return {
            "RateLimit-Policy": f'"{self.policy}";q={self.limit};w={LIMIT_WINDOW}',
            "RateLimit": f'"{self.policy}";r={remaining};t={self.seconds}',
        }


class RequestLimit(BaseThrottle):
    """Counts authenticated requests and rejects those over the limit, as a DRF throttle."""

    def __init__(self) -> None:
        self._usage: LimitUsage | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        self._usage = charge(request)
        return self._usage is None or not self._usage.is_exceeded

    def wait(self) -> float | None:
        return float(self._usage.seconds) if self._usage else None


class LimitHeadersMiddleware:
    """Adds the rate limit headers to every response."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        usage: LimitUsage | None = getattr(request, "rate_limit_usage", None)
        if usage is not None:
            for name, value in usage.headers().items():
                response.headers[name] = value
        return response


def charge(request: Request) -> LimitUsage | None:
    """Count a request once, even if this is called again for it. Return None if there is no limit or no database."""
    django_request = request._request
    if not hasattr(django_request, "rate_limit_usage"):
        django_request.rate_limit_usage = _count(*_client(request))  # type: ignore[attr-defined]
    usage: LimitUsage | None = django_request.rate_limit_usage  # type: ignore[attr-defined]
    return usage


def _client(request: Request) -> tuple[str, str]:
    """Return the policy that applies to a client, and the client's key."""
    # Read the private attributes, so that an authentication that has failed does not run again.
    user, token = getattr(request, "_user", None), getattr(request, "_auth", None)
    if isinstance(token, ApiToken):
        return "token", hashlib.sha256(token.pk.encode()).hexdigest()[:32]
    if user is not None and user.is_authenticated:
        return "user", str(user.pk)
    return "anonymous", network_of(request.META.get("REMOTE_ADDR", ""))


def _count(policy: str, client: str) -> LimitUsage | None:
    environment = settings.ENVIRONMENT
    limit = environment.api_anonymous_per_minute if policy == "anonymous" else environment.api_requests_per_minute
    if not limit:
        return None
    try:
        count = caches["limits"].count(f"{policy}:{client}", seconds=LIMIT_WINDOW)  # type: ignore[attr-defined]
    except DatabaseError:
        return None
    seconds_left = (count.ends_at - datetime.now(tz=UTC)).total_seconds()
    return LimitUsage(policy, limit, count.number, max(1, math.ceil(seconds_left)))
