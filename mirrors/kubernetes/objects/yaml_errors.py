"""Errors in YAML: their position, the usual mistake, and the correction."""

from __future__ import annotations

from typing import Final

import yaml

_KEY_IN_VALUE: Final = "mapping values are not allowed"
_KEY_EXPECTED: Final = ("did not find expected key", "did not find expected '-'")
_SPACE_BEFORE_TAB: Final = ("found character that cannot start any token", "found a tab character")


class YamlError(ValueError):
    """The text is not valid YAML. ``line`` and ``column`` count from 1; 0 if the position is unknown."""

    def __init__(self, problem: str, line: int = 0, column: int = 0) -> None:
        super().__init__(problem)
        self.line = line
        self.column = column


def convert_yaml_error(error: yaml.MarkedYAMLError, text: str) -> YamlError:
    """Convert an error of libyaml: add the position and the usual mistake that causes it."""
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context or "it has an error"
    if mark is None:
        return YamlError(problem)
    lines = text.split("\n", mark.line + 1)
    # At the end of the text, libyaml reports one line too many.
    line = min(mark.line, len(lines) - 1)
    column = mark.column if line == mark.line else len(lines[line])
    character = lines[line][column : column + 1]
    if character == "\t" and problem.startswith(_SPACE_BEFORE_TAB):
        problem = "a tab is used to indent: use spaces"
    elif problem.startswith("found character that cannot start any token"):
        problem = f"a value cannot begin with {character}: put quotes around it"
    elif problem.startswith(_KEY_IN_VALUE):
        problem += ": put quotes around a value that contains a colon and a space, or check the indentation"
    else:
        problem += _context_start(error)
    if problem.startswith(_KEY_EXPECTED):
        problem += ": check the indentation and the quotes of this line"
    return YamlError(problem, line + 1, column + 1)


def _context_start(error: yaml.MarkedYAMLError) -> str:
    """Return the start of the list, mapping, text or key with the error: often far before the reported position."""
    mark, context = error.context_mark, error.context or ""
    if mark is None or not context.startswith("while "):
        return ""
    return f" {context} that begins on line {mark.line + 1}, column {mark.column + 1}"
