"""Lets users return to the response of a form with the browser's Back button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase

EXPLAIN_URL_NAME: Final = "explain"
LIST_SUFFIX: Final = "_changelist"
"""The suffix of the URL name of a list. Its response to a POST is the page that asks for confirmation."""


class BackButtonMiddleware:
    """Replaces ``no-store``, which Django sets on all pages of the admin, on responses without secrets. If a browser is
    not allowed to store the response to a POST, it shows its own error page when the user returns to it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        match = request.resolver_match
        name = (match.url_name if match else None) or ""
        is_form_page = request.method == "POST" and response.status_code == 200
        if is_form_page and (name == EXPLAIN_URL_NAME or name.endswith(LIST_SUFFIX)):
            response.headers["Cache-Control"] = "private, no-cache"
        return response
