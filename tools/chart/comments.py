"""Parses the comments in values.yaml: ``# @section TITLE``, and before a key ``# -- [(types)] MEANING``."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

import yaml

TYPES: Final = frozenset({"any", "array", "boolean", "integer", "null", "number", "object", "string"})

_KEY = re.compile(r"( *)([A-Za-z][A-Za-z0-9]*):(?: (.*))?$")
_MEANING = re.compile(r" *# -- (?:\(([a-z|]+)\) )?(.*)$")
_MORE = re.compile(r" *# (.*)$")
_SECTION = re.compile(r"# @section (.*)$")


@dataclass(frozen=True, slots=True)
class Value:
    """A documented key. ``types`` is empty if the default value determines the type; ``default`` is plain data."""

    section: str
    path: str
    types: tuple[str, ...]
    meaning: str
    default: Any = None


def read(text: str) -> list[Value]:
    """Return the documented keys in the order of the file. Raises ValueError for a comment that belongs to no key."""
    values = yaml.safe_load(text)
    return [replace(value, default=_at(values, value.path)) for value in _scan(text.splitlines())]


def _scan(lines: list[str]) -> list[Value]:
    found: list[Value] = []
    parents: list[tuple[int, str]] = []
    section, comment = "", None
    for number, line in enumerate(lines, 1):
        if match := _SECTION.match(line):
            section = match[1]
        elif match := _MEANING.match(line):
            comment = Value(section, "", _types(match[1], number), match[2])
        elif comment and (match := _MORE.match(line)):
            comment = replace(comment, meaning=f"{comment.meaning} {match[1]}")
        elif match := _KEY.match(line):
            parents = [(indent, key) for indent, key in parents if indent < len(match[1])]
            parents.append((len(match[1]), match[2]))
            if comment:
                found.append(replace(comment, path=".".join(key for _, key in parents)))
            comment = None
        elif comment:
            raise ValueError(f"values.yaml:{number}: the comment above belongs to no key")
    return found


def _types(text: str | None, number: int) -> tuple[str, ...]:
    types = tuple(text.split("|")) if text else ()
    if unknown := set(types) - TYPES:
        raise ValueError(f"values.yaml:{number}: unknown type {min(unknown)}; valid types: {', '.join(sorted(TYPES))}")
    return types


def _at(values: Any, path: str) -> Any:
    for key in path.split("."):
        values = values[key]
    return values
