"""Who asks."""

from __future__ import annotations

from rest_framework.request import Request


def who(request: Request) -> str:
    """As rows keep it."""
    return request.user.get_username()
