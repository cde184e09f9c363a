"""Refusals of the API server, in one line that says what to do."""

from __future__ import annotations

from typing import Final

import httpx2 as httpx
from lightkube.core.exceptions import ApiError

NOT_FOUND: Final = 404
"""HTTP status of what does not exist."""

CONFLICT: Final = 409
"""HTTP status of what exists already, and of what somebody else has changed in between."""

LONGEST_MESSAGE: Final = 300
"""Characters of the API server's own message."""


class InstallationError(Exception):
    """A step of the installation can't be done; the message says why, and what to do."""


def api_refusal(error: ApiError | httpx.HTTPError, action: str, *, right: str) -> InstallationError:
    """The error for what was attempted (``action``: "read Secret x/y"), which needs ``right`` ("get secrets")."""
    if not isinstance(error, ApiError):
        return InstallationError(
            f"Cannot {action}: the API server did not answer ({type(error).__name__}). "
            "Check that this pod may reach it (network policies), and run the command again."
        )
    said = " ".join(str(error.status.message or error.status.reason or "").split())[:LONGEST_MESSAGE]
    if status_of(error) in (401, 403):
        return InstallationError(
            f"Cannot {action}: {said or 'forbidden'}. Let the service account {right} "
            "(docs/cluster-setup.md has the roles; rbac.create where the chart is used)."
        )
    return InstallationError(f"Cannot {action}: the API server answered {status_of(error)}: {said}")


def status_of(error: ApiError) -> int:
    """The HTTP status that the API server answered; 0 where it is not known."""
    return error.status.code or 0
