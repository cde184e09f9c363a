"""Where commands write their tables."""

from __future__ import annotations

from typing import Any, Final

from rich.console import Console

PIPED_WIDTH: Final = 1_000
"""Columns of a table in a file or a pipe: an image and its target have up to 500 characters together."""


def table_console(stream: Any) -> Console:
    """In a terminal tables have its width; in a file or a pipe no name is split over several lines."""
    return Console(file=stream, width=None if stream.isatty() else PIPED_WIDTH, highlight=False)
