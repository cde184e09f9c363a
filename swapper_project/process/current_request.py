"""The current HTTP request, and the API token with which it was sent."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase

_request: ContextVar[HttpRequest | None] = ContextVar("current_request", default=None)


class CurrentRequestMiddleware:
    """Stores the request instead of its user, because the API authenticates the token only in the view."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = _request.set(request)
        try:
            return self._get_response(request)
        finally:
            _request.reset(token)


def current_request() -> HttpRequest | None:
    """Return the current request; None in commands and workers."""
    return _request.get()


def token_name() -> str:
    """Return the name of the API token of the current request; empty for sessions, commands and workers."""
    # Only requests with a token have an ``auth`` with a name; for a session it is None.
    return str(getattr(getattr(_request.get(), "auth", None), "name", ""))
