"""Names of fields in another case, which clients in Go take for the real ones. Pure.

Follows encoding/json: a field is matched without regard to case, by Unicode's simple folding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_OF_MANIFEST: Final = frozenset(
    {"schemaVersion", "mediaType", "artifactType", "manifests", "layers", "config", "subject", "blobs"}
)
_OF_DESCRIPTOR: Final = frozenset({"mediaType", "digest", "size", "urls"})
"""What says which content is meant, and where it is."""

_USUAL: Final = _OF_DESCRIPTOR | {"annotations", "platform", "artifactType", "data"}
"""Descriptors with no other fields need no look at each name: an index may have thousands."""


def odd_name(document: Mapping[str, Any]) -> str | None:
    """The name of a field that a manifest, an index or a descriptor in it spells in another case; None for none."""
    odd = _misspelt(document, _OF_MANIFEST)
    for entry in _descriptors(document):
        if odd is not None:
            break
        if not entry.keys() <= _USUAL:
            odd = _misspelt(entry, _OF_DESCRIPTOR)
    return odd


def _misspelt(entry: Mapping[str, Any], known: frozenset[str]) -> str | None:
    folded = {_fold(name) for name in entry.keys() - known}
    return min((name for name in known if _fold(name) in folded), default=None)


def _fold(name: str) -> str:
    """As Go compares a name with one of ASCII letters: the long s (U+017F) and the sign for kelvin (U+212A) are letters
    of it too. `lower` knows the second alone."""
    return name.replace("\u017f", "s").lower()


def _descriptors(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name in ("config", "subject"):
        if isinstance(entry := document.get(name), dict):
            yield entry
    for name in ("layers", "manifests", "blobs"):
        if isinstance(entries := document.get(name), list):
            yield from (entry for entry in entries if isinstance(entry, dict))
