"""Generates ``values.schema.json``: the types of values from their defaults and comments, and those of ``config``."""

from __future__ import annotations

from typing import Any, Final

from tools.chart import config_schema
from tools.chart.comments import Value

CHOICES: Final[dict[str, list[str]]] = {
    "image.pullPolicy": ["Always", "IfNotPresent", "Never"],
    "postgresql.image.pullPolicy": ["Always", "IfNotPresent", "Never"],
    "webhook.failurePolicy": ["Ignore", "Fail"],
    "webhook.reinvocationPolicy": ["Never", "IfNeeded"],
    "service.type": ["ClusterIP", "NodePort", "LoadBalancer"],
    "web.service.type": ["ClusterIP", "NodePort", "LoadBalancer"],
    "certmanager.issuerKind": ["Issuer", "ClusterIssuer"],
    "pdb.enabled": ["auto"],
    "web.pdb.enabled": ["auto"],
    "worker.pdb.enabled": ["auto"],
}
"""The allowed strings of a value, by its path."""

TEXTS: Final = frozenset(
    {
        "webhook.exemptNamespaces",
        "secretReader.secretNames",
        "secretReader.namespaces",
        "web.trustedProxies",
        "web.ingress.hosts",
        "web.httpRoute.hostnames",
    }
)
"""Lists of strings; other lists contain objects."""

MIXED: Final = frozenset({"extraManifestsTemplated"})
"""Lists that contain both objects and strings."""

LARGEST_PORT: Final = 65_535

_TYPE_OF: Final = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}


def build(values: dict[str, Any], documented: list[Value], config: dict[str, Any]) -> dict[str, Any]:
    """Return the schema. It accepts unknown keys: NOTES.txt warns of them, templates reject those below ``config``."""
    by_path = {value.path: value for value in documented}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of the chart k8s-image-swapper",
        **_mapping(values, by_path, ""),
        "definitions": config_schema.definitions(config),
    }


def _mapping(values: dict[str, Any], by_path: dict[str, Value], path: str) -> dict[str, Any]:
    properties = {}
    for key, default in values.items():
        child_path = f"{path}.{key}" if path else key
        properties[key] = _property(default, by_path, child_path)
    return {"type": "object", "properties": properties}


def _property(default: Any, by_path: dict[str, Value], path: str) -> dict[str, Any]:
    value = by_path.get(path)
    if path == "config":
        return {"$ref": f"#/definitions/{config_schema.PREFIX}Config"}
    if value is None:
        return _mapping(default, by_path, path)
    description = {"description": value.meaning}
    if "any" in value.types:
        return description
    types = list(value.types) or [_TYPE_OF[type(default)]]
    if path in CHOICES:
        others: list[object] = [True, False] if "boolean" in types else []
        return {**description, "enum": [*others, *CHOICES[path]]}
    limits = {**_items(path, types), **_range(path, types)}
    return {**description, "type": types[0] if len(types) == 1 else types, **limits}


def _items(path: str, types: list[str]) -> dict[str, Any]:
    if "array" not in types or path in MIXED:
        return {}
    return {"items": {"type": "string" if path in TEXTS else "object"}}


def _range(path: str, types: list[str]) -> dict[str, int]:
    """Return the limits of a number: the range of a port, or at least 0."""
    if not {"integer", "number"}.intersection(types):
        return {}
    is_port = path.lower().endswith("port")
    return {"minimum": 1, "maximum": LARGEST_PORT} if is_port else {"minimum": 0}
