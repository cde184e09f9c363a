"""A YAML parser that behaves like Kubernetes (sigs.k8s.io/yaml on go-yaml v2), for configuration files and manifests.

Plain data only. No dates, no base-60 numbers, no ``=``; ``yes`` and ``on`` are true; hexadecimal, octal and binary
numbers are numbers. The text can come from any user, so one pass over libyaml's events limits the number of values,
their nesting and the expansion of aliases before the data is built.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from mirrors.kubernetes.objects.yaml_errors import YamlError, convert_yaml_error
from mirrors.kubernetes.objects.yaml_scalars import Plain, resolve

MOST_BYTES: Final = 1 << 20
"""The largest text in bytes, about the size limit of an object in etcd."""

MOST_NODES: Final = 50_000
"""The most values in one text. An alias counts as all the values that it refers to."""

MOST_NESTING: Final = 100
"""The most levels; manifests have about a dozen, and Python's recursion limit is 1,000 calls."""

MOST_DIRECTIVES: Final = 100
"""The most directives. libyaml compares each ``%TAG`` with all others: without a limit, 1 MiB takes ten seconds."""

TOO_DEEP: Final = f"it is nested more than {MOST_NESTING} levels deep"
TOO_MANY_VALUES: Final = "it has too many values, or aliases that expand to too many"
_CORE: Final = "tag:yaml.org,2002:"

# The loader in C is ten times as fast and emits the same events.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Scalar:
    """A scalar value. ``text`` is its text without quotes; ``is_plain`` if it has neither quotes nor a tag."""

    line: int
    text: str
    value: Plain
    is_plain: bool
    size: int = 1
    height: int = 0


@dataclass(slots=True)
class Collection:
    """A sequence, or a mapping, whose ``children`` are keys and values in turn.

    ``size`` is the number of values in it, including itself; ``height`` is its number of levels.
    """

    line: int
    is_mapping: bool
    anchor: str | None = None
    children: list[YamlNode] = field(default_factory=list)
    size: int = 1
    height: int = 1

    @property
    def pairs(self) -> Iterator[tuple[YamlNode, YamlNode]]:
        return zip(self.children[::2], self.children[1::2], strict=True)


YamlNode = Scalar | Collection


def decode(data: bytes) -> str:
    """Decode the content of a file: UTF-8, or UTF-16 with a byte order mark, as editors on Windows write it."""
    is_utf_16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and not data.startswith(codecs.BOM_UTF32_LE)
    try:
        return data.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise YamlError("the file is not UTF-8 text: save it as UTF-8", line) from None


def documents(text: str, *, most_nodes: int = MOST_NODES) -> Iterator[YamlNode]:
    """Yield the documents in the text that are not empty. Raises :class:`YamlError`."""
    text = text.removeprefix("\ufeff")
    if text.startswith("%") + text.count("\n%") > MOST_DIRECTIVES:
        raise YamlError(f"it has more than {MOST_DIRECTIVES} directives (lines that begin with %)")
    try:
        yield from _Composer(most_nodes).documents(yaml.parse(text, Loader=_Loader))
    except yaml.MarkedYAMLError as error:
        raise convert_yaml_error(error, text) from None
    except (yaml.YAMLError, UnicodeEncodeError):
        raise YamlError("it has a character that YAML does not allow") from None


def plain(node: YamlNode) -> Any:
    """Return the data of a node as in JSON. If a mapping has a key twice, the last value is used."""
    if isinstance(node, Scalar):
        return node.value
    if node.is_mapping:
        return {key_of(key): plain(value) for key, value in merged(node)}
    return [plain(child) for child in node.children]


def key_of(node: YamlNode) -> str:
    """Return a key as in JSON: ``on`` becomes ``true``, ``0x10`` becomes ``16``."""
    if not isinstance(node, Scalar) or node.value is None:
        raise YamlError("a key must be text", node.line)
    if isinstance(node.value, bool):
        return str(node.value).lower()
    return str(node.value) if isinstance(node.value, int) else node.text


def merged(mapping: Collection) -> list[tuple[YamlNode, YamlNode]]:
    """Return the pairs of a mapping, preceded by those that ``<<`` merges, so that the mapping's own pairs win."""
    own: list[tuple[YamlNode, YamlNode]] = []
    merged_pairs: list[tuple[YamlNode, YamlNode]] = []
    for key, value in mapping.pairs:
        if not (isinstance(key, Scalar) and key.is_plain and key.text == "<<"):
            own.append((key, value))
            continue
        is_list = isinstance(value, Collection) and not value.is_mapping
        # If several mappings are merged, the first one wins.
        for other in reversed(value.children) if isinstance(value, Collection) and is_list else [value]:
            if not isinstance(other, Collection) or not other.is_mapping:
                raise YamlError("<< needs a mapping, or a list of mappings", key.line)
            merged_pairs += merged(other)
    return merged_pairs + own


class _Composer:
    """A builder of nodes from events, without recursion."""

    def __init__(self, most_nodes: int) -> None:
        self._remaining_nodes = most_nodes
        self._open: list[Collection] = []
        self._anchors: dict[str, YamlNode] = {}

    def documents(self, events: Iterator[Any]) -> Iterator[YamlNode]:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors = {}
                continue
            if not isinstance(event, yaml.NodeEvent | yaml.CollectionEndEvent):
                continue
            root = self._process(event)
            if root is not None and not (isinstance(root, Scalar) and root.value is None):
                yield root

    def _process(self, event: Any) -> YamlNode | None:
        """Process an event. Return the root of the document when it is complete, otherwise None."""
        if isinstance(event, yaml.ScalarEvent):
            return self._add(_scalar(event), event.anchor, 1)
        if isinstance(event, yaml.AliasEvent):
            return self._add_alias(event)
        if isinstance(event, yaml.CollectionStartEvent):
            self._start_collection(event)
            return None
        collection = self._open.pop()
        if collection.anchor is not None:
            self._anchors[collection.anchor] = collection
        return self._add(collection, None, 0)

    def _start_collection(self, event: Any) -> None:
        mark, is_mapping = event.start_mark, isinstance(event, yaml.MappingStartEvent)
        if event.tag not in (None, "!", f"{_CORE}{'map' if is_mapping else 'seq'}"):
            raise _unknown_tag(event)
        if len(self._open) >= MOST_NESTING:
            raise YamlError(TOO_DEEP, mark.line + 1, mark.column + 1)
        self._spend(1, mark)
        # Within this collection, an alias to its own anchor is an error.
        self._anchors.pop(event.anchor, None)
        self._open.append(Collection(mark.line + 1, is_mapping, event.anchor))

    def _add_alias(self, event: Any) -> YamlNode | None:
        mark, node = event.start_mark, self._anchors.get(event.anchor)
        if node is None:
            is_inside = any(collection.anchor == event.anchor for collection in self._open)
            problem = (
                f"*{event.anchor} is nested in itself" if is_inside else f"there is no &{event.anchor} before this"
            )
            raise YamlError(problem, mark.line + 1, mark.column + 1)
        if len(self._open) + node.height > MOST_NESTING:
            raise YamlError(TOO_DEEP, mark.line + 1, mark.column + 1)
        self._spend(node.size, mark)
        return self._add(node, None, 0)

    def _add(self, node: YamlNode, anchor: str | None, cost: int) -> YamlNode | None:
        if anchor is not None:
            self._anchors[anchor] = node
        if cost and self._remaining_nodes <= 0:
            raise YamlError(TOO_MANY_VALUES, node.line)
        self._remaining_nodes -= cost
        if not self._open:
            return node
        parent = self._open[-1]
        parent.children.append(node)
        parent.size += node.size
        parent.height = max(parent.height, node.height + 1)
        return None

    def _spend(self, size: int, mark: Any) -> None:
        self._remaining_nodes -= size
        if self._remaining_nodes < 0:
            raise YamlError(TOO_MANY_VALUES, mark.line + 1, mark.column + 1)


def _scalar(event: Any) -> Scalar:
    line, text = event.start_mark.line + 1, event.value
    is_plain, is_text = event.implicit
    if is_plain:
        return Scalar(line, text, resolve(text), is_plain=True)
    if is_text or event.tag in (None, "!"):
        return Scalar(line, text, text, is_plain=False)
    return Scalar(line, text, _tagged(event), is_plain=False)


def _tagged(event: Any) -> Plain:
    text, tag = str(event.value), event.tag.removeprefix(_CORE) if event.tag.startswith(_CORE) else ""
    if tag in ("str", "timestamp"):
        return text
    if tag not in ("binary", "bool", "float", "int", "null"):
        raise _unknown_tag(event)
    value = resolve(text)
    kind = {bool: "bool", float: "float", int: "int", type(None): "null"}.get(type(value), "")
    if tag == kind:
        return value
    if tag == "float" and kind == "int":
        return float(str(value))
    if tag == "binary":
        with suppress(binascii.Error):
            return base64.b64decode(text).decode(errors="replace")
    raise YamlError(f"the value does not fit its tag !!{tag}", event.start_mark.line + 1, event.start_mark.column + 1)


def _unknown_tag(event: Any) -> YamlError:
    mark, tag = event.start_mark, re.sub(f"^{re.escape(_CORE)}", "!!", str(event.tag)[:100])
    return YamlError(f"the tag {tag} is not supported: use plain data", mark.line + 1, mark.column + 1)
