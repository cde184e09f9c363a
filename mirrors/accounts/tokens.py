"""Tokens that users create for themselves, with at most their own role and for a chosen time."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from mirrors.accounts.models import LIFETIME, ApiToken
from mirrors.accounts.roles import ROLE_CHOICES, Role, role_of_request

DEFAULT_DAYS: Final = LIFETIME.days
"""The days until a token expires by default."""

MOST_DAYS: Final = 365
"""The maximum number of days until a token expires, because a token that is not renewed for a year may have no owner
any more."""

MOST_TOKENS: Final = 50
"""The maximum number of valid tokens of one user: more than scripts need, and few enough to review."""


class TokenRefusedError(Exception):
    """The user cannot create this token. The message contains the reason and the next step."""


def own_tokens(request: HttpRequest) -> QuerySet[ApiToken]:
    """Return the tokens of the user, newest first."""
    return ApiToken.objects.filter(user=request.user.pk).order_by("-created")


def roles_within(request: HttpRequest) -> list[tuple[int, str]]:
    """Return the roles that the user can give to a token: at most the user's own role."""
    own_role = role_of_request(request)
    return [(value, name) for value, name in ROLE_CHOICES if value <= own_role]


def create_own(request: HttpRequest, *, name: str, role: Role, days: int | None = None) -> tuple[ApiToken, str]:
    """Create a token of the user. Return it with its text, which is shown once. Without ``days``, the token expires
    after ``DEFAULT_DAYS``, or with the token of the request if that expires earlier. Raises TokenRefusedError."""
    own_role = role_of_request(request)
    if role > own_role:
        raise TokenRefusedError(f"Your role is {own_role.group}: a token cannot have the role {role.group}.")
    request_token = getattr(request, "auth", None)
    ends_at = request_token.expiry if isinstance(request_token, ApiToken) else None
    expiry = timedelta(days=days or DEFAULT_DAYS)
    if days is None and ends_at is not None:
        # A second less, because the lifetime of the new token starts at its creation, a moment later.
        expiry = min(expiry, ends_at - timezone.now() - timedelta(seconds=1))
    elif ends_at is not None and timezone.now() + expiry > ends_at:
        raise TokenRefusedError(
            f"A token cannot create a token that expires later than itself, on {ends_at:%Y-%m-%d}: choose fewer days, "
            "or sign in to create the token."
        )
    if own_tokens(request).filter(expiry__gt=timezone.now()).count() >= MOST_TOKENS:
        raise TokenRefusedError(f"You have {MOST_TOKENS} valid tokens: revoke one first.")
    return ApiToken.issue(user=request.user, name=name, role=role, expiry=expiry)  # type: ignore[arg-type]


def own_token(request: HttpRequest, public_id: str) -> ApiToken | None:
    """Return a token of the user; None if the user has no such token."""
    return next((token for token in own_tokens(request) if token.public_id == public_id), None)


def revoke_own(request: HttpRequest, public_id: str) -> ApiToken | None:
    """Delete a token of the user, and return it; None if the user has no such token."""
    token = own_token(request, public_id)
    if token is not None:
        token.delete()
    return token
