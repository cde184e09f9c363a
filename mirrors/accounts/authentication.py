"""Authentication of requests with ``Authorization: Token …``."""

from __future__ import annotations

from typing import Any

from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from mirrors.accounts.models import ApiToken


class ApiTokenAuthentication(TokenAuthentication):
    """knox's authentication, which also records the last use of a token, and rejects invalid bytes."""

    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        try:
            authenticated: tuple[Any, ApiToken] | None = super().authenticate(request)  # type: ignore[no-untyped-call]
        except UnicodeError:
            raise AuthenticationFailed("Invalid token.") from None
        return authenticated

    def validate_user(self, auth_token: ApiToken) -> tuple[Any, ApiToken]:
        user, token = super().validate_user(auth_token)  # type: ignore[no-untyped-call]
        token.record_use()
        return user, token
