"""Parses YAML text into a tree with line numbers. Duplicate keys are rejected, and so is anything but plain data."""

from __future__ import annotations

from dataclasses import dataclass

from mirrors.kubernetes.objects.yaml_errors import YamlError
from mirrors.kubernetes.objects.yaml_loader import (
    TOO_DEEP,
    TOO_MANY_VALUES,
    Collection,
    Scalar,
    YamlNode,
    documents,
    merged,
)
from swapper_project.config.text.config_problems import ConfigError

MAX_NODES = 20_000
"""The maximum number of values of a configuration file: enough for thousands of filters and registries."""

_LIMITS = (TOO_DEEP, TOO_MANY_VALUES)


class Number(int):
    """A whole number with its spelling in the file, because ``0123`` is octal in YAML."""

    text: str


@dataclass(frozen=True, slots=True)
class Pair:
    key: str
    line: int
    value: Tree


Tree = str | int | float | bool | None | list["Item"] | dict[str, Pair]


@dataclass(frozen=True, slots=True)
class Item:
    line: int
    value: Tree


def read(text: str, name: str) -> dict[str, Pair]:
    """Return the file's top-level mapping, which is empty for an empty file. Raises :class:`ConfigError`."""
    reader = _TreeBuilder(name)
    try:
        roots = documents(text, most_nodes=MAX_NODES)
        root = next(roots, None)
        if (other := next(roots, None)) is not None:
            raise YamlError("there is a second document; keep one", other.line)
        tree = reader.convert(root) if root else {}
    except YamlError as error:
        line = f":{error.line}" if error.line else ""
        message = str(error) if str(error) in _LIMITS else f"this is not valid YAML: {error}"
        raise ConfigError([f"{name}{line}: {message}"]) from None
    if reader.problems:
        raise ConfigError(reader.problems)
    if not isinstance(tree, dict):
        raise ConfigError([f"{name}: the file must be a mapping (keys with values) at its top"])
    return tree


class _TreeBuilder:
    def __init__(self, name: str) -> None:
        self.name = name
        self.problems: list[str] = []

    def convert(self, node: YamlNode) -> Tree:
        if isinstance(node, Collection):
            if node.is_mapping:
                return self._mapping(node)
            return [Item(child.line, self.convert(child)) for child in node.children]
        value = node.value
        # This includes 08, which is not a valid octal number, so YAML reads it as a float.
        is_digits = isinstance(value, float) and node.is_plain and node.text.isdecimal()
        if (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and is_digits):
            number = Number(value)
            number.text = node.text
            return number
        return value

    def _mapping(self, node: Collection) -> dict[str, Pair]:
        lines: dict[str, int] = {}
        for key, _ in node.pairs:
            if not isinstance(key, Scalar):
                raise YamlError("a key must be text", key.line)
            if key.text in lines:
                self.problems.append(
                    f"{self.name}:{key.line}: {key.text}: is set twice, first in line {lines[key.text]}"
                )
            lines[key.text] = key.line
        pairs = [(key, value) for key, value in merged(node) if isinstance(key, Scalar)]
        return {key.text: Pair(key.text, key.line, self.convert(value)) for key, value in pairs}
