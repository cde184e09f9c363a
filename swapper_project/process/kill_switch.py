"""The kill switch: a watched file, or else a variable of the environment that is read at startup."""

from __future__ import annotations

import structlog

from swapper_project.process.environment import Environment
from swapper_project.process.environment_checks import OFF, ON

log = structlog.get_logger(__name__)


class Switch:
    """Reads the file at each call. If its content is neither on nor off, the environment decides, and an error is
    logged once."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._invalid_text = ""

    def is_off(self) -> bool:
        path = self._environment.swap_file
        try:
            text = path.read_text(encoding="utf-8-sig", errors="replace") if path else ""
        except OSError:
            text = ""
        # In an emergency, operators write `off # reason`, or put the word in quotes.
        words = text.replace('"', " ").replace("'", " ").lower().split()
        word = words[0] if words else ""
        if word in ON or word in OFF:
            return word in OFF
        if word and text != self._invalid_text:
            log.error(
                "The kill switch file contains neither on nor off. Write off to stop swapping",
                file=str(path),
                text=text[:50],
            )
        self._invalid_text = text
        return not self._environment.swap
