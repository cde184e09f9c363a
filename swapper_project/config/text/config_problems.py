"""Problems of a configuration. Each problem is one line of text, with file, line number and key path."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

KeyPath = tuple[str | int, ...]

_TEXTS = {
    "missing": "is missing",
    "string_type": "must be text; put quotes around it",
    "bool_type": "must be true or false, without quotes",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "tuple_type": "must be a list",
    "model_type": "must be a mapping (keys with values)",
    "extra_forbidden": "is an unknown key",
}

_QUOTED = re.compile(r"'([^']*)'")
"""Matches each value in pydantic's list of expected values: ``'a', 'b' or 'c'``."""


class ConfigError(ValueError):
    """The configuration cannot be used; ``problems`` has one readable line for each reason."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = list(problems)


@dataclass(slots=True)
class Findings:
    """Collects the problems of one configuration file, and the lines of its keys."""

    name: str
    lines: dict[KeyPath, int] = field(default_factory=dict)
    set_by_flag: set[KeyPath] = field(default_factory=set)  # in lower case
    problems: list[tuple[int, str]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    files: dict[KeyPath, str] = field(default_factory=dict)
    """Files of certificates and keys, by the keys that name them."""

    def add(self, path: KeyPath, message: str, *, line: int | None = None) -> None:
        if lowercase_path(path) in self.set_by_flag:
            self.problems.append((0, f"{format_path(path)}, set by a flag: {message}"))
            return
        line = line or self._line(path)
        location = f"{self.name}:{line}" if line else self.name
        self.problems.append(
            (line or 0, f"{location}: {format_path(path)}: {message}" if path else f"{location}: {message}")
        )

    def warn(self, path: KeyPath, message: str) -> None:
        self.warnings.append(f"{format_path(path)}: {message}")

    def add_all(self, errors: Iterable[Mapping[str, Any]]) -> None:
        """Add the errors of a pydantic validation, in the terms of the file."""
        for error in errors:
            # The location includes the tags of alternatives, such as `<list>`, which are not keys of the file.
            path = (part for part in error["loc"] if not str(part).startswith("<"))
            self.add(tuple(path), _message_of(error))

    def raise_if_any(self) -> None:
        if self.problems:
            raise ConfigError([text for _, text in sorted(self.problems, key=lambda problem: problem[0])])

    def _line(self, path: KeyPath) -> int | None:
        """Return the line of the key, or of the nearest enclosing section."""
        return next((self.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.lines), None)


def format_path(path: KeyPath) -> str:
    """Return the path as text, such as ``source.filters[0].jmespath``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def lowercase_path(path: KeyPath) -> KeyPath:
    return tuple(part.lower() if isinstance(part, str) else part for part in path)


def _message_of(error: Mapping[str, Any]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "literal_error":
        # Keys with a choice of values contain no secrets, so the given value can be shown.
        if error["input"] == "generic" and "oci" in context["expected"]:
            return "must be oci, not 'generic': set endpoint, prefix, username and passwordFile below oci"
        matches = difflib.get_close_matches(str(error["input"]), _QUOTED.findall(context["expected"]), 1)
        hint = f"; did you mean {matches[0]}?" if matches else ""
        return f"must be {context['expected']}, not {str(error['input'])[:60]!r}{hint}"
    if kind == "value_error":
        return str(context["error"])
    return _TEXTS.get(kind) or str(error["msg"]).replace("Input should be", "must be").replace("String should", "must")
