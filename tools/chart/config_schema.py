"""The part of values.schema.json below ``config``, from the models of the configuration file.

Wrong types fail. Unknown keys are left to the templates, which name the nearest key; so is what the application itself
checks: keys that are missing, and what holds between keys.
"""

from __future__ import annotations

import re
from typing import Any, Final

PREFIX: Final = "config."
"""Of definitions' names, beside others of the schema."""

KEPT: Final = ("description", "enum", "maximum", "minimum", "pattern", "type")
"""What is taken over of a field's schema."""


def definitions(schema: dict[str, Any]) -> dict[str, Any]:
    """Definitions for values.schema.json; the file as a whole is ``config.Config``."""
    return {f"{PREFIX}{name}": _section(node) for name, node in {**schema["$defs"], "Config": schema}.items()}


def without_null(field: dict[str, Any]) -> list[dict[str, Any]]:
    """The alternatives of a field but ``null``: Helm drops keys without a value."""
    return [choice for choice in field.get("anyOf", [field]) if choice.get("type") != "null"]


def any_case(name: str) -> str:
    """A pattern of a key in any case of its letters, for Go and JavaScript."""
    letters = (f"[{c.lower()}{c.upper()}]" if c.isalpha() else re.escape(c) for c in name)
    return f"^{''.join(letters)}$"


def _section(node: dict[str, Any]) -> dict[str, Any]:
    fields = {name: _field(field) for name, field in node["properties"].items()}
    return {
        "type": "object",
        **({"description": node["description"]} if "description" in node else {}),
        "patternProperties": {any_case(name): field for name, field in fields.items()},
    }


def _field(field: dict[str, Any]) -> dict[str, Any]:
    choices = [_choice(choice) for choice in without_null(field)]
    described = {"description": field["description"]} if "description" in field else {}
    if any("$ref" in choice or choice.get("type") == "array" for choice in choices):
        return {**choices[0], **described} if "$ref" not in choices[0] else choices[0]
    if any("enum" in choice or "pattern" in choice for choice in choices):
        # As the application has it, an empty text is a key that is not given.
        choices.append({"enum": [""]})
    return {**described, **(choices[0] if len(choices) == 1 else {"anyOf": choices})}


def _choice(choice: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in choice:
        return {"$ref": f"#/definitions/{PREFIX}{choice['$ref'].rpartition('/')[2]}"}
    if choice["type"] == "array":
        return {"type": "array", "items": _field(choice["items"])}
    return {key: choice[key] for key in KEPT if key in choice}
