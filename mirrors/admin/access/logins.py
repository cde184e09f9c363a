"""Admin of sign-ins: successful ones, failed ones, and locked ones, which can be unlocked."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from axes.helpers import get_cool_off, get_failure_limit
from axes.models import AccessAttempt, AccessBase, AccessFailureLog, AccessLog
from django.contrib import admin
from django.db.models import F, QuerySet, Sum, Window
from django.http import HttpRequest
from django.utils import timezone

from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.lists.columns import time_column
from mirrors.admin.tools.lists.csv_export import csv_column

AxesRow = TypeVar("AxesRow", bound=AccessBase)


class SignInAdmin(ReadOnlyAdmin[AxesRow]):
    """The common part of the three lists: user, address and browser, with the titles of the other pages."""

    search_fields = ["username", "ip_address"]
    ordering = ["-id"]
    omitted_fields = ("http_accept", "session_hash", "get_data", "post_data", "locked_out")

    at = time_column("attempt_time", "time")

    def row_title(self, row: Any) -> str:
        return f"{row.username}, {row.attempt_time:%Y-%m-%d %H:%M:%S} UTC"

    @admin.display(description="username", ordering="username")
    def user(self, row: AxesRow) -> str:
        return row.username or "–"

    @admin.display(description="IP address", ordering="ip_address")
    def address(self, row: AxesRow) -> str:
        return row.ip_address or "–"

    @admin.display(description="user agent", ordering="user_agent")
    def browser(self, row: AxesRow) -> str:
        return row.user_agent


@admin.register(AccessAttempt)
class AccessAttemptAdmin(SignInAdmin[AccessAttempt]):
    """Failures that lock a username for an address, with a row for each browser. Deleting the rows unlocks it."""

    list_display = ["at", "user", "address", "failures", "browser"]
    empty_message = "No sign-in is locked."
    row_names = ("locked sign-in", "locked sign-ins")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccessAttempt]:
        """Return only the rows of sign-ins that django-axes rejects now. The table also has rows with fewer failures,
        and rows of expired locks."""
        cool_off = get_cool_off(request)
        assert cool_off is not None
        recent = AccessAttempt.objects.filter(attempt_time__gte=timezone.now() - cool_off)
        together = Window(Sum("failures_since_start"), partition_by=[F("username"), F("ip_address")])
        locked = recent.annotate(together=together).filter(together__gte=get_failure_limit(request, None))
        return super().get_queryset(request).filter(pk__in=locked.values("pk"))

    @admin.display(description="failed sign-ins", ordering="failures_since_start")
    def failures(self, row: AccessAttempt) -> int:
        return row.failures_since_start

    def has_delete_permission(self, request: HttpRequest, obj: AccessAttempt | None = None) -> bool:
        return request.user.has_perm("axes.delete_accessattempt")


@admin.register(AccessFailureLog)
class AccessFailureAdmin(SignInAdmin[AccessFailureLog]):
    list_display = ["at", "user", "address", "was_locked", "browser"]
    empty_message = "No sign-in has failed."
    row_names = ("failed sign-in", "failed sign-ins")
    list_filter = ["locked_out"]
    filter_titles: ClassVar[dict[str, str]] = {"locked_out": "locked"}

    @csv_column("locked", lambda row: row.locked_out)
    @admin.display(description="locked")
    def was_locked(self, row: AccessFailureLog) -> str:
        """Return a word, because Django's green check mark would look like success."""
        return "locked" if row.locked_out else "no"


@admin.register(AccessLog)
class AccessLogAdmin(SignInAdmin[AccessLog]):
    list_display = ["at", "left", "user", "address", "browser"]
    empty_message = "Appear after a user signs in."
    row_names = ("sign-in", "sign-ins")

    left = time_column("logout_time", "signed out")
