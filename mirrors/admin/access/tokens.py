"""Admin of the API tokens of all users. A token is created for a user, shown once, and revoked by deletion."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.urls import path
from django.urls.resolvers import URLPattern
from django.views.decorators.http import require_POST

from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import Role, role_of
from mirrors.accounts.tokens import DEFAULT_DAYS
from mirrors.admin.access.own_tokens import days_field, own_tokens_view, revoke_view
from mirrors.admin.tools.base import ModelForm, PlainAdmin
from mirrors.admin.tools.lists.columns import time_column


class TokenForm(ModelForm[ApiToken]):
    """The form for a token of any user, with a chosen expiry."""

    days = days_field()


@admin.register(ApiToken)
class ApiTokenAdmin(PlainAdmin[ApiToken]):
    list_display = ["name", "user", "role", "created_column", "expires_column", "last_used_column"]
    empty_message = "Create one for each script. A token is shown once and expires."
    list_filter = ["role"]
    list_select_related = ["user"]
    search_fields = ["name", "user__username"]
    ordering = ["-created"]
    form = TokenForm

    created_column = time_column("created", "created")
    expires_column = time_column("expiry", "expires")
    last_used_column = time_column("last_used_at", "last used")

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        return (
            ["name", "user", "role", "days"]
            if obj is None
            else ["name", "user", "role", "created_column", "expires_column", "last_used_column"]
        )

    def get_readonly_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        return [] if obj is None else ["created_column", "expires_column", "last_used_column"]

    def get_urls(self) -> list[URLPattern]:
        guard = self.admin_site.admin_view
        token_urls = [
            path("own/", guard(own_tokens_view), name="accounts_apitoken_own"),
            path("own/revoke/", guard(require_POST(revoke_view)), name="accounts_apitoken_revoke_own"),
        ]
        return [*token_urls, *super().get_urls()]

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        """Return False, because tokens are created and revoked, but never changed."""
        return False

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Let only superusers choose a superuser, because a token acts as its user."""
        if db_field.name == "user" and not request.user.is_superuser:
            kwargs["queryset"] = User.objects.filter(is_superuser=False)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        expiry = timedelta(days=form.cleaned_data.get("days") or DEFAULT_DAYS)
        row, text = ApiToken.issue(user=obj.user, name=obj.name, role=Role(obj.role), expiry=expiry)
        obj.pk = row.pk
        message = f"The token is {text} — it is shown only once and expires on {row.expiry:%Y-%m-%d}."
        if role_of(obj.user) < obj.role:
            message += " The role of the user is lower and limits the token."
        messages.success(request, message)
