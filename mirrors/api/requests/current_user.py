"""The user of a request."""

from __future__ import annotations

from rest_framework.request import Request


def who(request: Request) -> str:
    """The username that rows record."""
    return request.user.get_username()
