"""Requests with ``Authorization: Token …``."""

from __future__ import annotations

from typing import Any

from knox.auth import TokenAuthentication

from mirrors.accounts.models import ApiToken


class ApiTokenAuthentication(TokenAuthentication):
    """knox's, which also notes when a token was last used."""

    def validate_user(self, auth_token: ApiToken) -> tuple[Any, ApiToken]:
        user, token = super().validate_user(auth_token)  # type: ignore[no-untyped-call]
        token.note_use()
        return user, token
