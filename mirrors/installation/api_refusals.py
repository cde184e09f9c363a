"""Errors of the API server, as one line that explains what to do."""

from __future__ import annotations

from typing import Final

import httpx2 as httpx
from lightkube.core.exceptions import ApiError

NOT_FOUND: Final = 404
"""HTTP status for an object that does not exist."""

CONFLICT: Final = 409
"""HTTP status for an object that exists already, or that another client has changed since it was read."""

LONGEST_MESSAGE: Final = 300
"""The most characters of the API server's message that are shown."""


class InstallationError(Exception):
    """A step of the installation failed; the message contains the reason and the next step."""


def api_error(error: ApiError | httpx.HTTPError, action: str, *, permission: str) -> InstallationError:
    """Return the error for a failed ``action`` ("read Secret x/y") that requires ``permission`` ("get secrets")."""
    if not isinstance(error, ApiError):
        return InstallationError(
            f"Cannot {action}: the API server did not respond ({type(error).__name__}). "
            "Check that this pod can reach it (network policies), and run the command again."
        )
    message = " ".join(str(error.status.message or error.status.reason or "").split())[:LONGEST_MESSAGE]
    if status_of(error) in (401, 403):
        return InstallationError(
            f"Cannot {action}: {message or 'forbidden'}. Allow the service account to {permission} "
            "(docs/cluster-setup.md lists the roles; with the chart, set rbac.create)."
        )
    return InstallationError(f"Cannot {action}: the API server responded with status {status_of(error)}: {message}")


def status_of(error: ApiError) -> int:
    """Return the HTTP status of the API server's response; 0 if it is unknown."""
    return error.status.code or 0
