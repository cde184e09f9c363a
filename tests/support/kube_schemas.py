"""JSON schemas of Kubernetes objects for kubeconform, from the OpenAPI document of the API server, cached."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from tests.support.cache_directory import cache_directory
from tests.support.kube_build import VERSION

Schema = dict[str, Any]
PREFIX: Final = "#/definitions/"
INT_OR_STRING: Final = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
FORMAT: Final = 1
"""The format version of the cached files. Changing it creates them again."""


def directory(openapi: Callable[[], Schema]) -> Path:
    """Return the directory of the schemas. If it does not exist, create it from the response of ``/openapi/v2``, which
    ``openapi`` returns."""
    place = cache_directory() / "schemas" / f"{VERSION}-{FORMAT}"
    if not place.exists():
        part = place.with_name(f"{place.name}.{os.getpid()}.part")
        part.mkdir(parents=True)
        for name, schema in schemas(openapi()):
            (part / name).write_text(json.dumps(schema))
        if place.exists():
            shutil.rmtree(part)
        else:
            part.rename(place)
    return place


def schemas(openapi: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the file name and schema of each kind, including all definitions that it refers to."""
    definitions = {name: _strict(name, node) for name, node in openapi["definitions"].items()}
    for name, node in openapi["definitions"].items():
        for kind in node.get("x-kubernetes-group-version-kind", []):
            needed = _reachable(name, definitions)
            suffix = "-".join(part.split(".")[0] for part in (kind["group"], kind["version"]) if part)
            schema = {**definitions[name], "definitions": {key: definitions[key] for key in sorted(needed)}}
            yield f"{kind['kind'].lower()}-{suffix}.json", schema


def _strict(name: str, node: Schema) -> Schema:
    """Return the schema without unknown fields, as strict as the API server."""
    if name == INT_OR_STRING:
        return {"type": ["integer", "string"]}
    if name == QUANTITY:
        return {"type": ["number", "string"]}
    if "properties" in node and "additionalProperties" not in node:
        return {**node, "additionalProperties": False}
    return dict(node)


def _reachable(name: str, definitions: dict[str, Schema]) -> set[str]:
    found: set[str] = set()
    waiting = [name]
    while waiting:
        text = json.dumps(definitions[waiting.pop()])
        new = set(re.findall(rf'"{PREFIX}([^"]+)"', text)) - found
        found |= new
        waiting += new
    return found
