"""YAML text to a tree that knows its lines. Keys given twice are refused, as is anything but plain data."""

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
"""Values of a configuration file: room for thousands of filters and registries."""

_LIMITS = (TOO_DEEP, TOO_MANY_VALUES)


class Number(int):
    """A whole number that remembers how it is written: ``0123`` is octal."""

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
    """The file's top-level mapping, empty for an empty file; raises :class:`ConfigError`."""
    reader = _TreeBuilder(name)
    try:
        roots = documents(text, most_nodes=MAX_NODES)
        root = next(roots, None)
        if (other := next(roots, None)) is not None:
            raise YamlError("there is a second document; keep one", other.line)
        tree = reader.convert(root) if root else {}
    except YamlError as error:
        line = f":{error.line}" if error.line else ""
        words = str(error) if str(error) in _LIMITS else f"this is not valid YAML: {error}"
        raise ConfigError([f"{name}{line}: {words}"]) from None
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
        # Also 08, which is not a valid octal number and so a float in YAML.
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
