"""Generates the part of values.schema.json below ``config`` from the models of the configuration file.

The schema rejects wrong types. It accepts unknown keys, for which templates suggest the nearest key. It also accepts
problems that the application itself checks: missing keys, and conflicts between keys.
"""

from __future__ import annotations

import re
from typing import Any, Final

PREFIX: Final = "config."
"""The prefix of the names of definitions, which separates them from others in the schema."""

UNSET_VALUES: Final = ["", None]
"""Values that mean that a key is not given, as in the application."""

COPIED_KEYWORDS: Final = ("const", "enum", "maximum", "minimum", "pattern", "type")
"""The keywords that are copied from a field's schema."""


def definitions(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the definitions for values.schema.json; the whole file is ``config.Config``."""
    return {f"{PREFIX}{name}": _section(node) for name, node in {**schema["$defs"], "Config": schema}.items()}


def without_null(field: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the alternatives of a field except ``null``."""
    choices = field.get("anyOf") or field.get("oneOf") or [field]
    return [choice for choice in choices if choice.get("type") != "null"]


def any_case(name: str) -> str:
    """Return a case-insensitive regular expression for a key, in the syntax of both Go and JavaScript."""
    letters = (f"[{c.lower()}{c.upper()}]" if c.isalpha() else re.escape(c) for c in name)
    return f"^{''.join(letters)}$"


def _section(node: dict[str, Any]) -> dict[str, Any]:
    fields = {name: _field(field) for name, field in node["properties"].items()}
    return {
        "type": ["object", "null"],
        **_description(node),
        "patternProperties": {any_case(name): field for name, field in fields.items()},
    }


def _field(field: dict[str, Any]) -> dict[str, Any]:
    choices = [_choice(choice) for choice in without_null(field)]
    if "$ref" in choices[0]:
        return choices[0]
    if len(choices) == 1 and "enum" in choices[0]:
        return {**_description(field), "enum": [*choices[0]["enum"], *UNSET_VALUES]}
    if len(choices) == 1 and "pattern" not in choices[0]:
        return {**_description(field), **choices[0], "type": [choices[0]["type"], "null"]}
    return {**_description(field), "anyOf": [*choices, {"enum": UNSET_VALUES}]}


def _description(field: dict[str, Any]) -> dict[str, str]:
    return {"description": field["description"]} if "description" in field else {}


def _choice(choice: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in choice:
        return {"$ref": f"#/definitions/{PREFIX}{choice['$ref'].rpartition('/')[2]}"}
    if choice["type"] == "array":
        return {"type": "array", "items": _field(choice["items"])}
    return {key: choice[key] for key in COPIED_KEYWORDS if key in choice}
