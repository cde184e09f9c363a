"""Admin of API tokens: created for a user, shown once, revoked by deletion."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest

from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import Role, role_of
from mirrors.admin.base import PlainAdmin
from mirrors.admin.columns import moment


@admin.register(ApiToken)
class ApiTokenAdmin(PlainAdmin[ApiToken]):
    list_display = ["name", "user", "role", "made", "ends", "used"]
    empty_words = "Create one for each script. A token is shown once and expires."
    list_filter = ["role"]
    list_select_related = ["user"]
    search_fields = ["name", "user__username"]
    ordering = ["-created"]
    fields = ["name", "user", "role"]

    made = moment("created", "created")
    ends = moment("expiry", "expires")
    used = moment("last_used_at", "last used")

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        """A token is created and revoked; its role never changes."""
        return False

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A token acts as its user, so only superusers create tokens for superusers."""
        if db_field.name == "user" and not request.user.is_superuser:
            kwargs["queryset"] = User.objects.filter(is_superuser=False)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        row, text = ApiToken.issue(user=obj.user, name=obj.name, role=Role(obj.role))
        obj.pk = row.pk
        words = f"The token is {text} — it is shown only once and expires on {row.expiry:%Y-%m-%d}."
        if role_of(obj.user) < obj.role:
            words += " The role of the user is lower and limits the token."
        messages.success(request, words)
