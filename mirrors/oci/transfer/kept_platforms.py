"""Reduces an index to some of its platforms. The others are cut from its text, so that all else stays byte for byte."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from mirrors.oci.common.errors import RegistryError
from mirrors.oci.common.manifests import Manifest, parse, platform_name, read_object

_SPACE: Final = re.compile(r"[ \t\r\n]*")
_DECODER: Final = json.JSONDecoder()


def keep_platforms(manifest: Manifest, platforms: Sequence[str], *, host: str) -> Manifest:
    """Return the index with only these platforms (`os/arch[/variant]`), their attestations, and entries without
    a platform.

    Return the same manifest if nothing is dropped or if it is not an index. Raises RegistryError `unsupported` if the
    index has none of the platforms.
    """
    if not platforms or not manifest.platforms:
        return manifest
    entries: list[dict[str, Any]] = read_object(manifest.raw, host)["manifests"]
    chosen = {e["digest"] for e in entries if any(_matches(platform_name(e), name) for name in platforms)}
    if not chosen:
        raise RegistryError(
            "unsupported",
            f"the image has none of the platforms {', '.join(platforms)} (it has {', '.join(manifest.platforms)})",
            host=host,
        )
    kept = [_is_kept(entry, chosen) for entry in entries]
    if all(kept):
        return manifest
    return parse(_cut(manifest.raw, kept, host), manifest.media_type, host=host)


def _matches(name: str, platform: str) -> bool:
    """Return whether a platform matches. `linux/arm` matches all its variants; `linux/arm64` and `linux/arm64/v8` are
    equal."""
    actual = name.removesuffix("/v8") if name.startswith("linux/arm64") else name
    expected = platform.removesuffix("/v8") if platform.startswith("linux/arm64") else platform
    return actual == expected or actual.startswith(f"{expected}/")


def _is_kept(entry: dict[str, Any], chosen: set[str]) -> bool:
    if entry["digest"] in chosen:
        return True
    annotations = entry.get("annotations")
    subject = annotations.get("vnd.docker.reference.digest") if isinstance(annotations, dict) else None
    if isinstance(subject, str):
        return subject in chosen
    return platform_name(entry) in ("", "unknown/unknown")


@dataclass(frozen=True, slots=True)
class _Span:
    """The position of a value in a text, in characters."""

    start: int
    end: int


def _cut(raw: bytes, kept: Sequence[bool], host: str) -> bytes:
    """Return the text of an index with only the `kept` entries. The entries are known to be well formed."""
    encoding = json.detect_encoding(raw)
    text = raw.decode(encoding, "surrogatepass")
    spans = _entries(text)
    if len(spans) != len(kept):
        raise RegistryError("invalid", f"{host} sent an index that has several lists of manifests", host=host)
    separator = text[spans[0].end : spans[1].start]
    entries = separator.join(text[span.start : span.end] for span, is_kept in zip(spans, kept, strict=True) if is_kept)
    return f"{text[: spans[0].start]}{entries}{text[spans[-1].end :]}".encode(encoding, "surrogatepass")


def _entries(text: str) -> list[_Span]:
    """Return the elements of the top-level lists that are named `manifests`."""
    spans: list[_Span] = []
    position = _skip(text, 0)
    while text[position] in "{,":
        key, position = _DECODER.raw_decode(text, _skip(text, position + 1))
        position = _skip(text, _skip(text, position) + 1)
        value = _value(text, position)
        if key == "manifests":
            spans += _elements(text, value)
        position = _skip(text, value.end)
    return spans


def _elements(text: str, array: _Span) -> list[_Span]:
    """Return the elements of an array, none for any other value."""
    spans: list[_Span] = []
    position = array.start
    while text[position] in "[," and text[_skip(text, position + 1)] != "]":
        spans.append(_value(text, position + 1))
        position = _skip(text, spans[-1].end)
    return spans


def _value(text: str, position: int) -> _Span:
    start = _skip(text, position)
    return _Span(start, _DECODER.raw_decode(text, start)[1])


def _skip(text: str, position: int) -> int:
    """Return the position after the white space."""
    match = _SPACE.match(text, position)
    assert match is not None
    return match.end()
