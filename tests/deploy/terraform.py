"""Terraform files as plain values: parsed by python-hcl2, without quotes and heredoc markers."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hcl2

_HEREDOC = re.compile(r"<<-?(\w+)\n(.*?)\n\s*\1", re.DOTALL)


def load(directory: Path) -> dict[str, list[Any]]:
    """Return all blocks of a directory, by the kind of block."""
    merged: dict[str, list[Any]] = {}
    for path in sorted(directory.glob("*.tf")):
        with path.open() as file:
            parsed = _plain(hcl2.load(file))
        for kind, blocks in parsed.items():
            if kind != "__comments__":
                merged.setdefault(kind, []).extend(blocks)
    return merged


def block(loaded: Mapping[str, list[Any]], kind: str, *labels: str) -> dict[str, Any]:
    """Return the block with these labels, such as ``resource "aws_iam_role" "name"``."""
    found: list[dict[str, Any]] = []
    for entry in loaded[kind]:
        for label in labels:
            entry = entry.get(label, {})
        if entry:
            found.append(entry)
    (only,) = found
    return only


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace each ``${…}`` of the text. Raises KeyError if ``values`` does not contain it."""
    return re.sub(r"\$\{([^}]+)\}", lambda match: values[match[1]], text)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {_unquoted(key): _plain(inner) for key, inner in value.items() if key != "__is_block__"}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return _unquoted(value) if isinstance(value, str) else value


def _unquoted(text: str) -> str:
    inner = text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
    heredoc = _HEREDOC.fullmatch(inner)
    return textwrap.dedent(heredoc[2]) + "\n" if heredoc else inner
