"""YAML text to a tree that knows its lines. Keys given twice are refused, as is anything but plain data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import yaml

from swapper_project.config.problems import ConfigError

MAX_NODES = 20_000


class Number(int):
    """A whole number that remembers its digits: YAML 1.1 reads ``0123`` as octal."""

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


class _Loader(yaml.SafeLoader):
    pass


# Without this 2024-01-01 would become a date, which no key takes.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(text: str, name: str) -> dict[str, Pair]:
    """The file's top-level mapping, empty for an empty file; raises :class:`ConfigError`."""
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        reader = _Reader(name, loader)
        tree = reader.convert(root) if root else {}
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError([f"{name}{line}: this is no YAML: {error.problem}"]) from None
    except yaml.YAMLError:
        raise ConfigError([f"{name}: this is no YAML text (a character that YAML does not allow)"]) from None
    except RecursionError:
        raise ConfigError([f"{name}: the YAML is nested too deeply"]) from None
    if reader.problems:
        raise ConfigError(reader.problems)
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError([f"{name}: the file must be a mapping (keys with values) at its top"])
    return tree


class _Reader:
    def __init__(self, name: str, loader: _Loader) -> None:
        self.name = name
        self.loader = loader
        self.problems: list[str] = []
        self._left = MAX_NODES

    def convert(self, node: Any) -> Tree:
        self._left -= 1
        if self._left < 0:
            # Aliases of aliases grow without bound.
            raise yaml.MarkedYAMLError(problem="it has too many values", problem_mark=node.start_mark)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [Item(child.start_mark.line + 1, self.convert(child)) for child in node.value]
        value: Tree = self.loader.construct_object(node)
        if isinstance(value, int) and not isinstance(value, bool):
            value = Number(value)
            value.text = node.value
        if isinstance(value, str | int | float | None):
            return value
        raise yaml.MarkedYAMLError(problem="only text, numbers, true and false", problem_mark=node.start_mark)

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Pair]:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key must be text", problem_mark=key.start_mark)
            if key.value in lines:
                self.problems.append(
                    f"{self.name}:{line}: {key.value}: is given twice, first in line {lines[key.value]}"
                )
            lines[key.value] = line
        # Resolves merge keys (<<); what they bring comes first, so that the mapping's own keys win.
        self.loader.flatten_mapping(node)
        return {key.value: Pair(key.value, key.start_mark.line + 1, self.convert(value)) for key, value in node.value}
