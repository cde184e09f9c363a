"""The error of a service that refuses an action."""

from __future__ import annotations

from typing import Final

NO_TARGET: Final = "There is no target yet: run manage.py prepare with a configuration file that has a target."


class ActionRefusedError(Exception):
    """The current state does not allow this action. The message describes what to do first."""
