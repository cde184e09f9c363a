"""The admin site, which is open to users with a role. ``is_staff`` has no effect, so that the role is the only
condition."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from unfold.forms import AuthenticationForm
from unfold.sites import UnfoldAdminSite

from mirrors.accounts.lockout import too_many_attempts
from mirrors.accounts.roles import Role, role_of

ASK_FOR_ROLE: Final = "Ask an administrator to assign a role (Access, Users, Roles)."
"""The next step for a user without a role."""


class RoleLoginForm(AuthenticationForm):
    """A sign-in form that rejects a user without a role with the next step, instead of reporting a wrong password."""

    error_messages = {
        **AuthenticationForm.error_messages,
        "invalid_login": "Enter a correct username and password. Both are case-sensitive.",
    }

    def confirm_login_allowed(self, user: Any) -> None:
        if not user.is_active or role_of(user) is Role.NOBODY:
            raise ValidationError(
                f"This user cannot sign in: it is disabled, or has no role yet. {ASK_FOR_ROLE}", code="no-role"
            )


class RoleAdminSite(UnfoldAdminSite):
    """unfold's site, opened to users with a role."""

    login_form = RoleLoginForm

    def has_permission(self, request: HttpRequest) -> bool:
        return _role_of(request.user, request) is not Role.NOBODY

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[dict[str, Any]]:
        """Return the models of one application. No page lists all applications, because the menu is custom and because
        the list would take a tenth of the time of each page."""
        return super().get_app_list(request, app_label) if app_label else []

    def get_sidebar_list(self, request: HttpRequest) -> list[dict[str, Any]]:
        """Return the menu unchanged. unfold would copy it, and compare each of its links with the page."""
        menu: list[dict[str, Any]] = import_string(settings.UNFOLD["SIDEBAR"]["navigation"])(request)
        return menu

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Reject an address with too many attempts for any usernames. django-axes counts the attempts for one
        username."""
        rejection = too_many_attempts(request) if request.method == "POST" else None
        context = {"title": "Sign in"}
        if request.user.is_authenticated:
            context["no_role"] = f"{request.user} has no role. {ASK_FOR_ROLE} Or sign in as another user."
        return rejection or super().login(request, {**context, **(extra_context or {})})


def _role_of(user: AbstractBaseUser | Any, request: HttpRequest) -> Role:
    """Return the role of the user. It is read once per request, because a page uses it several times."""
    cached: tuple[Any, Role] | None = getattr(request, "_swapper_role", None)
    if cached is None or cached[0] != user.pk:
        cached = (user.pk, role_of(user))
        request._swapper_role = cached  # type: ignore[attr-defined]
    return cached[1]
