"""Finds field names in another case, which clients in Go accept as the real ones. Pure.

Follows Go's encoding/json, which matches field names case-insensitively, by Unicode's simple case folding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

_OF_MANIFEST: Final = frozenset(
    {"schemaVersion", "mediaType", "artifactType", "manifests", "layers", "config", "subject", "blobs"}
)
_OF_DESCRIPTOR: Final = frozenset({"mediaType", "digest", "size", "urls"})
"""The fields that specify which content is meant, and where it is."""

_USUAL: Final = _OF_DESCRIPTOR | {"annotations", "platform", "artifactType", "data"}
"""The names of a descriptor with only these fields are not checked one by one: an index may have thousands of them."""


def miscased_field(document: Mapping[str, Any]) -> str | None:
    """Return the name of a field that a manifest, an index or a descriptor in it spells in another case, else None."""
    name = _miscased(document, _OF_MANIFEST)
    for entry in _descriptors(document):
        if name is not None:
            break
        if not entry.keys() <= _USUAL:
            name = _miscased(entry, _OF_DESCRIPTOR)
    return name


def _miscased(entry: Mapping[str, Any], expected_names: frozenset[str]) -> str | None:
    folded = {_fold(name) for name in entry.keys() - expected_names}
    return min((name for name in expected_names if _fold(name) in folded), default=None)


def _fold(name: str) -> str:
    """Return the name as Go folds it: the long s (U+017F) equals s, and the kelvin sign (U+212A) equals k. `lower` only
    folds the latter."""
    return name.replace("\u017f", "s").lower()


def _descriptors(document: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name in ("config", "subject"):
        if isinstance(entry := document.get(name), dict):
            yield entry
    for name in ("layers", "manifests", "blobs"):
        if isinstance(entries := document.get(name), list):
            yield from (entry for entry in entries if isinstance(entry, dict))
