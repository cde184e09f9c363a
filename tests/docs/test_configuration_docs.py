"""The tables of docs/configuration.md match the code, and every example in the documentation loads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from django.core.management import BaseCommand

from mirrors.filters import ReviewBudget, compile_filter
from mirrors.management.commands.up import Command as Up
from swapper_project import config
from swapper_project.process import environment
from tests.docs.markdown import PAGES, Block, blocks, code, rows
from tests.support.databases import ROOT

CONFIGURATION = ROOT / "docs/configuration.md"
FILTERS = ROOT / "docs/filters.md"

# One entry of each kind, so that the defaults of every section are present.
TARGETS = {
    "aws": "aws: {accountId: '123456789012', region: eu-central-1, ecrOptions: {tags: [{key: a, value: b}]}}",
    "gcp": "gcp: {location: europe, projectId: gcp-project-123, repositoryId: main}",
    "oci": "oci: {endpoint: registry.example.com}",
}
SOURCE = "{registries: [{type: oci, host: registry.example.com}], filters: [{jmespath: 'a == `1`'}]}"


@dataclass(frozen=True)
class Key:
    """A key of the file according to the schema: its kind and choices, and whether it is required and has a default."""

    kind: str
    choices: frozenset[str]
    is_required: bool
    has_default: bool


def keys(node: dict[str, Any], definitions: dict[str, Any], path: str = "") -> Iterator[tuple[str, Key]]:
    """Yield all keys that have a value, with their paths."""
    for name, field in node["properties"].items():
        here = f"{path}.{name}" if path else name
        inner = resolved(field, definitions)
        if inner.get("type") == "array" and "properties" in (item := resolved(inner["items"], definitions)):
            yield from keys(item, definitions, f"{here}[]")
        elif "properties" in inner:
            yield from keys(inner, definitions, here)
        else:
            required = name in node.get("required", [])
            has_default = field.get("default") is not None
            yield here, Key(kind_of(inner), frozenset(inner.get("enum", [])), required, has_default)


def resolved(field: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a field that is set: references are resolved, and ``null`` is omitted."""
    choices = [choice for choice in field.get("anyOf", []) if choice.get("type") != "null"]
    if choices:
        # Numbers as an alternative to text (accountId, sizes) are other spellings of the same value.
        return resolved(next((c for c in choices if c.get("type") == "string"), choices[0]), definitions)
    if "$ref" in field:
        found: dict[str, Any] = definitions[field["$ref"].rpartition("/")[2]]
        return found
    return field


def kind_of(field: dict[str, Any]) -> str:
    if "oneOf" in field:
        return " or ".join(f"`{one['const']}`" if "const" in one else kind_of(one) for one in field["oneOf"])
    if "enum" in field:
        return "choice"
    pattern = field.get("pattern", "")
    if "ns|us" in pattern:
        return "duration"
    if "KMGT" in pattern:
        return "size"
    return {"boolean": "boolean", "integer": "whole number", "array": "list of text"}.get(field["type"], "text")


SCHEMA = config.schema()
KEYS = dict(keys(SCHEMA, SCHEMA["$defs"]))
DOCUMENTED = {code(key)[0]: cells for key, *cells in rows(CONFIGURATION, "Key", "Type", "Default", "Meaning")}


def default_of(path: str) -> object:
    """Return the value of a key that the file omits, in the form in which a file would contain it."""
    kind = path.split(".")[1] if path.startswith("target.") and path != "target.type" else "oci"
    text = f"source: {SOURCE}\ntarget: {{type: {kind}, {TARGETS[kind]}}}"
    if path == "target.type":
        text = f"target: {{{TARGETS['aws']}}}"
    node: Any = config.parse(text).effective()
    for part in path.split("."):
        node = node[part.removesuffix("[]")]
        if part.endswith("[]"):
            node = node[0]
    return node


def test_documented_keys_are_unique_and_match_the_schema() -> None:
    paths = [code(key)[0] for key, *_ in rows(CONFIGURATION, "Key", "Type", "Default", "Meaning")]

    assert sorted(paths) == sorted(KEYS)


@pytest.mark.parametrize("path", KEYS)
def test_the_type_of_a_key_matches_its_row(path: str) -> None:
    key, reported = KEYS[path], DOCUMENTED[path][0]

    assert (frozenset(code(reported)) if key.kind == "choice" else reported) == (key.choices or key.kind)


@pytest.mark.parametrize("path", KEYS)
def test_the_default_of_a_key_matches_its_row(path: str) -> None:
    key, reported = KEYS[path], DOCUMENTED[path][1]
    if key.has_default:
        assert yaml.safe_load(code(reported)[0]) == default_of(path)
    else:
        assert reported == ("required" if key.is_required else "–")


def test_documented_variables_match_the_environment_settings() -> None:
    variables = [code(variable)[0] for variable, *_ in rows(CONFIGURATION, "Variable", "`_FILE`", "Default", "Meaning")]

    assert sorted(variables) == sorted(environment.PREFIX + name for name in environment._NAMES)


@pytest.mark.parametrize("row", rows(CONFIGURATION, "Variable", "`_FILE`", "Default", "Meaning"), ids=lambda r: r[0])
def test_the_file_variant_of_a_variable_matches_its_row(row: list[str]) -> None:
    variable = code(row[0])[0]
    environ = {f"{variable}_FILE": "/nowhere/at/all", "HOME": "/nowhere"}
    try:
        environment.read(environ)
        refused = False
    except environment.EnvironmentProblem as problem:
        refused = f"{variable}_FILE: " in str(problem)

    assert refused == (row[1] == "yes")


def test_documented_flags_match_those_of_the_up_command() -> None:
    flags, shared = (
        {option for action in command.create_parser("manage.py", "up")._actions for option in action.option_strings}
        for command in (Up(), BaseCommand())
    )
    reported = {flag for cells in rows(CONFIGURATION, "Flag", "Meaning") for flag in re.findall(r"--[a-z-]+", cells[0])}

    assert reported == flags - shared


def yaml_blocks() -> list[Block]:
    return [block for page in PAGES for block in blocks(page) if block.language == "yaml"]


@pytest.mark.parametrize("block", yaml_blocks(), ids=lambda block: block.place)
def test_a_yaml_example_is_a_valid_configuration_or_object(block: Block) -> None:
    """A block that is marked as YAML is a configuration, unless it is a Kubernetes object."""
    documents = list(yaml.safe_load_all(block.text))
    assert documents
    if any("kind" in document for document in documents):
        assert all({"apiVersion", "kind", "metadata"} <= set(document) for document in documents)
    else:
        assert config.parse(block.text, name=block.place).target.name.endpoint


def test_examples_are_found_in_the_readme_and_configuration_page() -> None:
    places = {block.place.partition(":")[0] for block in yaml_blocks()}

    assert {"README.md", "configuration.md"} <= places


@pytest.mark.parametrize("row", rows(FILTERS, "Expression", "Result", "Excludes"), ids=lambda row: row[0])
def test_the_result_of_an_example_filter_matches_its_row(row: list[str]) -> None:
    (pod,) = [yaml.safe_load(b.text) for b in blocks(FILTERS) if b.language == "yaml" and "kind: Pod" in b.text]
    (namespace,) = re.findall(r"in the namespace `([a-z-]+)`", FILTERS.read_text())
    pod["metadata"]["namespace"] = namespace
    response = compile_filter("example", code(row[0])[0]).matches(
        {"obj": pod, "container": pod["spec"]["containers"][0]}, ReviewBudget()
    )

    assert str(response).lower() == code(row[1])[0]
