"""The position of an error in an expression, as shown to users: line, column, and a caret below the line."""

from __future__ import annotations

from typing import Final

from mirrors.filters.expression import InvalidFilterError

CHARACTERS_AROUND: Final = 60
"""Characters of a long line that are shown on either side of the position."""


def line_and_column(expression: str, position: int) -> tuple[int, int]:
    """Return the line and the column of an offset, both counted from 1."""
    before = expression[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1


def message_with_caret(expression: str, error: InvalidFilterError) -> str:
    """Return the error's message, followed by the line and a caret if the position is known."""
    if error.position is None:
        return str(error)
    line, column = line_and_column(expression, error.position)
    lines = expression.split("\n")
    text = lines[line - 1].expandtabs(1) if line <= len(lines) else ""
    start = max(0, column - 1 - CHARACTERS_AROUND)
    excerpt = text[start : column - 1 + CHARACTERS_AROUND].rstrip("\r")
    prefix = "…" if start else ""
    caret = " " * (len(prefix) + column - 1 - start) + "^"
    return f"Line {line}, column {column}: {error}\n{prefix}{excerpt}\n{caret}"
