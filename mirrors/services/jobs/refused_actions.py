"""Why a service refuses an action: the message says what to do first."""

from __future__ import annotations

from typing import Final

NO_TARGET: Final = "There is no target yet: run manage.py prepare with a configuration file that has a target."


class ActionRefusedError(Exception):
    """The current state does not allow this action; the message says what to do first."""
