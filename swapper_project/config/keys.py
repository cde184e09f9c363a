"""Matches the file's keys to the keys of the models: case-insensitively, with hints for unknown keys, and without the
sections that ``type`` does not select."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterator, Mapping
from typing import Any, Union, get_args, get_origin

from swapper_project.config.files import FILE_KEYS
from swapper_project.config.models import Config
from swapper_project.config.sections.aws import AwsRegistry
from swapper_project.config.sections.section import Section
from swapper_project.config.sections.source import SourceRegistry
from swapper_project.config.sections.target import Target
from swapper_project.config.text.config_problems import Findings, KeyPath, format_path
from swapper_project.config.text.document import Item, Pair, Tree

_SECTIONS = ("aws", "gcp", "oci")
_HINTS = {
    "password": "a password must not be in the file; use passwordFile or passwordEnv",
    "privateregistries": "is now source.registries",
    "cachettlminutes": "is now existence.maxAge, a duration such as 10m",
    "cachejittermaxminutes": "is not needed: times are always jittered",
}
_IGNORED_KEYS: dict[tuple[type[Section], str], str] = {
    (AwsRegistry, "ecroptions"): "is for the target only, and ignored here"
}
"""Keys that files of estahn/k8s-image-swapper can contain where they have no effect."""


def match_keys(
    tree: Mapping[str, Pair], model: type[Section], findings: Findings, path: KeyPath = ()
) -> dict[str, Any]:
    """Return plain data with the model's own keys. As in viper, a key without a value counts as not given."""
    fields = {str(field.alias).lower(): (str(field.alias), field.annotation) for field in model.model_fields.values()}
    names = {str(field.alias): name for name, field in model.model_fields.items()}
    ignored = _unselected_sections(tree, model)
    data: dict[str, Any] = {}
    seen: dict[str, Pair] = {}
    for pair in tree.values():
        key = pair.key.lower()
        if key in ignored:
            continue
        if key in seen:
            first = seen[key]
            spelled = f"{first.key} and {pair.key} are" if first.key != pair.key else f"{pair.key} is"
            findings.add(
                (*path, pair.key), f"{spelled} the same key, set twice (first in line {first.line})", line=pair.line
            )
            continue
        seen[key] = pair
        if (model, key) in _IGNORED_KEYS:
            findings.warn((*path, pair.key), _IGNORED_KEYS[model, key])
            continue
        if key not in fields:
            findings.add((*path, pair.key), _hint(key, fields, model), line=pair.line)
            continue
        name, annotation = fields[key]
        findings.lines[(*path, name)] = pair.line
        # As in viper, an empty string means the default, or the string itself if there is no default.
        if pair.value is None or (pair.value == "" and not model.model_fields[names[name]].is_required()):
            continue
        data[name] = _value(pair.value, annotation, findings, (*path, name))
        if name in FILE_KEYS and isinstance(pair.value, str):
            findings.files[(*path, name)] = pair.value
    for problem in model.conflicts(data):
        findings.add(path, problem)
    return data


def as_tree(value: object) -> Tree:
    """Return plain data from flags or JSON as a tree, as if it had been read from a file."""
    if isinstance(value, Mapping):
        return {str(key): Pair(str(key), 0, as_tree(inner)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [Item(0, as_tree(inner)) for inner in value]
    if value is None or isinstance(value, str | int | float):
        return value
    return str(value)


def _value(value: Tree, annotation: Any, findings: Findings, path: KeyPath) -> Any:
    model = next(_models(annotation), None)
    if isinstance(value, dict):
        return match_keys(value, model, findings, path) if model else {}
    if isinstance(value, list):
        items = []
        for index, item in enumerate(value):
            findings.lines[(*path, index)] = item.line
            items.append(_value(item.value, annotation, findings, (*path, index)))
        return tuple(items)
    return value


def _models(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    elif get_origin(annotation) in (tuple, Union, types.UnionType):
        for argument in get_args(annotation):
            yield from _models(argument)


def _unselected_sections(tree: Mapping[str, Pair], model: type[Section]) -> set[str]:
    """Return the registry sections that ``type`` does not select. They are ignored, because charts leave them in."""
    if model not in (Target, SourceRegistry):
        return set()
    selected = next((pair.value for pair in tree.values() if pair.key.lower() == "type"), None)
    if selected in (None, "") and model is Target:
        selected = "aws"
    return {section for section in _SECTIONS if section != selected}


def _hint(key: str, fields: Mapping[str, tuple[str, Any]], model: type[Section]) -> str:
    if key in _HINTS:
        return _HINTS[key]
    if model is SourceRegistry and key == "oci":
        return "is not a section here; write host, username and the other keys next to type"
    other_paths = [path for path in _all_paths(Config) if str(path[-1]).lower() == key]
    if matches := difflib.get_close_matches(key, fields, 1, 0.7):
        return f"is an unknown key; did you mean {fields[matches[0]][0]}?"
    if other_paths:
        best = min(other_paths, key=lambda path: (path[0] != "target", len(path)))
        return f"is an unknown key here; there is {format_path(best)}"
    if matches := difflib.get_close_matches(key, fields, 1, 0.4):
        return f"is an unknown key; the nearest one is {fields[matches[0]][0]}"
    return f"is an unknown key; valid keys: {', '.join(name for name, _ in fields.values())}"


def _all_paths(model: type[Section], path: KeyPath = ()) -> Iterator[KeyPath]:
    for field in model.model_fields.values():
        key_path = (*path, str(field.alias))
        yield key_path
        for inner in _models(field.annotation):
            yield from _all_paths(inner, key_path)
