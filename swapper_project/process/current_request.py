"""The request that is being answered, and the API token that it was made with."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest
from django.http.response import HttpResponseBase

_request: ContextVar[HttpRequest | None] = ContextVar("current_request", default=None)


class CurrentRequestMiddleware:
    """Notes the request, and not its user: the API finds out only in its view whose token it is."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        token = _request.set(request)
        try:
            return self._get_response(request)
        finally:
            _request.reset(token)


def current_request() -> HttpRequest | None:
    """None in commands and workers."""
    return _request.get()


def token_name() -> str:
    """The description of the API token of the current request; empty for sessions, commands and workers."""
    # Only tokens have a name here: a session has no ``auth``.
    return str(getattr(getattr(_request.get(), "auth", None), "name", ""))
