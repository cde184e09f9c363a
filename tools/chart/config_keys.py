"""Generates ``files/config-keys.yaml``: the keys that templates accept below ``config``, like the application."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import yaml

from swapper_project.config import keys
from tools.chart.config_schema import without_null

HEADER: Final = "# Generated from the application's models and values.yaml: python -m tools.chart\n"


def build(values: dict[str, Any], schema: dict[str, Any]) -> str:
    """Return the file's text. ``values`` are the chart's defaults, ``schema`` is that of the configuration file."""
    document = {
        "sections": dict(_sections(schema, schema["$defs"], "")),
        "hints": dict(keys._HINTS),
        "registryTypes": list(keys._SECTIONS),
        "chosenByType": {
            "target": schema["$defs"]["Target"]["properties"]["type"]["default"],
            "source.registries[]": "",
        },
        "defaults": values["config"],
        "values": list(values),
    }
    return HEADER + yaml.safe_dump(document, sort_keys=False, width=120, allow_unicode=True)


def _sections(node: dict[str, Any], definitions: dict[str, Any], path: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the path and keys of each mapping; ``[]`` marks the entries of a list."""
    yield path, [*node["properties"], *_without_effect(node)]
    for name, field in node["properties"].items():
        child_path = f"{path}.{name}" if path else name
        for choice in without_null(field):
            item = choice.get("items", {})
            if "$ref" in choice:
                yield from _sections(definitions[_name(choice)], definitions, child_path)
            elif "$ref" in item:
                yield from _sections(definitions[_name(item)], definitions, f"{child_path}[]")


def _name(reference: dict[str, Any]) -> str:
    name: str = reference["$ref"].rpartition("/")[2]
    return name


def _without_effect(node: dict[str, Any]) -> list[str]:
    """Return the keys that the application ignores in this section."""
    return [key for model, key in keys._IGNORED_KEYS if model.__name__ == node.get("title")]
