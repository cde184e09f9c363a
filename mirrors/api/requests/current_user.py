"""The user of a request."""

from __future__ import annotations

from rest_framework.request import Request


def username_of(request: Request) -> str:
    """Return the username that is recorded in rows."""
    return request.user.get_username()
