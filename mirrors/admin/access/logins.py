"""Admin of sign-ins: who signed in, whose sign-in failed, and who is locked and can be unlocked."""

from __future__ import annotations

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.http import HttpRequest

from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.columns import moment


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ReadOnlyAdmin[AccessAttempt]):
    """Recent failures, which lock a username; to unlock it, delete its rows."""

    list_display = ["at", "username", "ip_address", "failures_since_start", "user_agent"]
    empty_words = "No sign-in is locked."
    search_fields = ["username", "ip_address"]
    ordering = ["-id"]
    fields = ["at", "username", "ip_address", "failures_since_start", "user_agent", "path_info"]
    readonly_fields = ["at"]

    at = moment("attempt_time", "time")

    def has_delete_permission(self, request: HttpRequest, obj: AccessAttempt | None = None) -> bool:
        return request.user.has_perm("axes.delete_accessattempt")


@admin.register(AccessFailureLog)
class AccessFailureAdmin(ReadOnlyAdmin[AccessFailureLog]):
    list_display = ["at", "username", "ip_address", "was_locked", "user_agent"]
    empty_words = "No sign-in has failed."
    list_filter = ["locked_out"]
    search_fields = ["username", "ip_address"]
    ordering = ["-id"]
    fields = ["at", "username", "ip_address", "was_locked", "user_agent", "path_info"]
    readonly_fields = ["at", "was_locked"]

    at = moment("attempt_time", "time")

    @admin.display(description="locked")
    def was_locked(self, row: AccessFailureLog) -> str:
        """In words: Django's green check mark would look like success."""
        return "locked" if row.locked_out else "no"


@admin.register(AccessLog)
class AccessLogAdmin(ReadOnlyAdmin[AccessLog]):
    list_display = ["at", "left", "username", "ip_address", "user_agent"]
    empty_words = "Appear after a user signs in."
    search_fields = ["username", "ip_address"]
    ordering = ["-id"]
    fields = ["at", "left", "username", "ip_address", "user_agent"]
    readonly_fields = ["at", "left"]

    at = moment("attempt_time", "time")
    left = moment("logout_time", "signed out")
