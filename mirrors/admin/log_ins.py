"""Admin of log-ins: who came in, who failed, and who is locked out and may be let in again."""

from __future__ import annotations

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.http import HttpRequest

from mirrors.admin.base import ReadOnlyAdmin
from mirrors.admin.columns import moment


@admin.register(AccessAttempt)
class AccessAttemptAdmin(ReadOnlyAdmin[AccessAttempt]):
    """Failures of the last minutes, which lock a log-in; to unlock it, delete its rows."""

    list_display = ["at", "username", "ip_address", "failures_since_start", "user_agent"]
    empty_words = "No log-in is locked."
    search_fields = ["username", "ip_address"]
    ordering = ["-id"]
    fields = ["at", "username", "ip_address", "failures_since_start", "user_agent", "path_info"]
    readonly_fields = ["at"]

    at = moment("attempt_time", "when")

    def has_delete_permission(self, request: HttpRequest, obj: AccessAttempt | None = None) -> bool:
        return request.user.has_perm("axes.delete_accessattempt")


@admin.register(AccessFailureLog)
class AccessFailureAdmin(ReadOnlyAdmin[AccessFailureLog]):
    list_display = ["at", "username", "ip_address", "locked_out", "user_agent"]
    empty_words = "No log-in has failed."
    list_filter = ["locked_out"]
    search_fields = ["username", "ip_address"]
    ordering = ["-id"]
    fields = ["at", "username", "ip_address", "locked_out", "user_agent", "path_info"]
    readonly_fields = ["at"]

    at = moment("attempt_time", "when")


@admin.register(AccessLog)
class AccessLogAdmin(ReadOnlyAdmin[AccessLog]):
    list_display = ["at", "left", "username", "ip_address", "user_agent"]
    empty_words = "Nobody has logged in since logs are kept."
    search_fields = ["username", "ip_address"]
    ordering = ["-id"]
    fields = ["at", "left", "username", "ip_address", "user_agent"]
    readonly_fields = ["at", "left"]

    at = moment("attempt_time", "when")
    left = moment("logout_time", "logged out")
