"""The role that a request needs: viewer for reads, admin for writes, or the role in the view's ``roles``."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from mirrors.accounts.roles import Role, role_of, role_of_request


class ByRole(BasePermission):
    """Permission by role. A view's ``roles`` is ``{action: Role}``; other writes need the role admin."""

    message = ""

    def has_permission(self, request: Request, view: Any) -> bool:
        # A method that the resource does not support needs no role, because the response is 405.
        is_missing = not hasattr(view, str(request.method).lower())
        default = Role.VIEWER if request.method in SAFE_METHODS or is_missing else Role.ADMIN
        needed: Role = getattr(view, "roles", {}).get(getattr(view, "action", None), default)
        role = role_of_request(request)
        if role < needed <= role_of(request.user):
            self.message = f"This token has the role {role.group}: create one with the role {needed.group}."
        else:
            self.message = f"This needs the role {needed.group}: ask an administrator to assign it."
        return role >= needed
