"""Locked sign-ins: the page that shows how long the lock lasts, and the limit of sign-in attempts of an address."""

from __future__ import annotations

import math
from typing import Any, Final

from axes.handlers.proxy import AxesProxyHandler
from axes.helpers import get_cool_off
from axes.models import AccessAttempt
from django.core.cache import caches
from django.db import DatabaseError
from django.db.models import Max
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from mirrors.accounts.counters import network_of

LOCKOUT_WINDOW: Final = 900
"""The seconds in which the sign-in attempts of an address are counted."""
ATTEMPTS_PER_ADDRESS: Final = 60
"""The maximum number of attempts in a window, including successful ones, because many users may share an address."""


def locked_out(request: HttpRequest, original: HttpResponse | None, credentials: dict[str, Any] | None) -> HttpResponse:
    """Return the page of a locked sign-in, with status 429 and ``Retry-After``. Called by django-axes."""
    return _page(
        request, _seconds_left(request, credentials), attempts=AxesProxyHandler.get_failures(request, credentials)
    )


def too_many_attempts(request: HttpRequest) -> HttpResponse | None:
    """Count a sign-in attempt for its address. Return the page that rejects it if there were too many, or None."""
    address = network_of(request.META.get("REMOTE_ADDR", ""))
    try:
        count = caches["limits"].count(f"sign-in:{address}", seconds=LOCKOUT_WINDOW)  # type: ignore[attr-defined]
    except DatabaseError:
        # Without the database, the sign-in fails anyway, with its own page.
        return None
    if count.number <= ATTEMPTS_PER_ADDRESS:
        return None
    seconds_left = (count.ends_at - timezone.now()).total_seconds()
    return _page(request, max(1, math.ceil(seconds_left)), attempts=ATTEMPTS_PER_ADDRESS, is_of_address=True)


def _page(request: HttpRequest, seconds: int, *, attempts: int, is_of_address: bool = False) -> HttpResponse:
    context = {"minutes": math.ceil(seconds / 60), "tries": attempts, "is_of_address": is_of_address}
    response = render(request, "locked_out.html", context, status=429)
    response.headers["Retry-After"] = str(seconds)
    response.headers["Cache-Control"] = "no-store"
    return response


def _seconds_left(request: HttpRequest, credentials: dict[str, Any] | None) -> int:
    cool_off = get_cool_off(request)
    assert cool_off is not None
    name = (credentials or {}).get("username")
    attempts = AccessAttempt.objects.filter(username=name, ip_address=request.axes_ip_address)  # type: ignore[attr-defined]
    last = attempts.aggregate(last=Max("attempt_time"))["last"] or timezone.now()
    return max(1, math.ceil((last + cool_off - timezone.now()).total_seconds()))
