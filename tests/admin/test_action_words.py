"""Each action that is recorded has words of its own on the pages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrors.templatetags.humanise import DONE

SERVICES = Path(__file__).parents[2] / "mirrors" / "services"


def recorded_actions() -> Iterator[str]:
    """The names that services pass to ``note_actions``."""
    for file in SERVICES.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("note_actions"):
                yield from (
                    str(keyword.value.value)
                    for keyword in node.keywords
                    if keyword.arg == "action" and isinstance(keyword.value, ast.Constant)
                )


@pytest.mark.parametrize("action", sorted(set(recorded_actions())))
def test_an_action_has_words(action: str) -> None:
    assert action in DONE
