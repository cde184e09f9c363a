"""Which role a request needs: viewers read; what a view names in ``roles`` needs more."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from mirrors.accounts.roles import Role, role_of_request


class ByRole(BasePermission):
    """``roles`` of a view: ``{action: Role}``; anything else that writes is for admins."""

    message = "Your role does not allow this: ask an administrator for a higher one."

    def has_permission(self, request: Request, view: Any) -> bool:
        # A method that a resource does not have is nobody's: the answer is that it is not there.
        is_missing = not hasattr(view, str(request.method).lower())
        default = Role.VIEWER if request.method in SAFE_METHODS or is_missing else Role.ADMIN
        needed: Role = getattr(view, "roles", {}).get(getattr(view, "action", None), default)
        return role_of_request(request) >= needed
