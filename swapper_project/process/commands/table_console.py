"""The console to which commands write their tables."""

from __future__ import annotations

from typing import Any, Final

from rich.console import Console

PIPED_WIDTH: Final = 1_000
"""The width of a table in a file or a pipe: an image and its target have up to 500 characters together."""


def table_console(stream: Any) -> Console:
    """Return a console with the width of the terminal, or wide enough for a file or a pipe that no name is wrapped."""
    return Console(file=stream, width=None if stream.isatty() else PIPED_WIDTH, highlight=False)
