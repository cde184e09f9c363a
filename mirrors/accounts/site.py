"""The admin is open to whoever has a role: ``is_staff`` counts for nothing, so that one thing decides."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from unfold.forms import AuthenticationForm
from unfold.sites import UnfoldAdminSite

from mirrors.accounts.lockout import too_many_tries
from mirrors.accounts.roles import Role, role_of


class RoleLogInForm(AuthenticationForm):
    """Refuses a user without a role with what to do, instead of calling the password wrong."""

    def confirm_login_allowed(self, user: Any) -> None:
        if not user.is_active or role_of(user) is Role.NOBODY:
            raise ValidationError(
                "This user cannot sign in: it is disabled, or has no role yet. Ask an administrator to assign a role "
                "(Access, Users, Roles).",
                code="no-role",
            )


class RoleAdminSite(UnfoldAdminSite):
    """unfold's, open to those with a role."""

    login_form = RoleLogInForm

    def has_permission(self, request: HttpRequest) -> bool:
        return _role_of(request.user, request) is not Role.NOBODY

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Refuses an address that tries too often, under whichever names; django-axes looks at one name's guesses."""
        refused = too_many_tries(request) if request.method == "POST" else None
        return refused or super().login(request, extra_context)


def _role_of(user: AbstractBaseUser | Any, request: HttpRequest) -> Role:
    """Asked several times a page; read once."""
    kept: tuple[Any, Role] | None = getattr(request, "_swapper_role", None)
    if kept is None or kept[0] != user.pk:
        kept = (user.pk, role_of(user))
        request._swapper_role = kept  # type: ignore[attr-defined]
    return kept[1]
