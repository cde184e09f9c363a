"""Each numeric constant in the code has a docstring with its unit and its reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import pytest

from tests.support.databases import ROOT

CODE = ("mirrors", "webhook", "swapper_project")


def is_number(value: ast.expr | None) -> bool:
    """Return whether the value is a number, a calculation with only numbers, or a ``timedelta`` of them."""
    match value:
        case ast.Constant(value=number):
            return isinstance(number, int | float) and not isinstance(number, bool)
        case ast.UnaryOp(operand=operand):
            return is_number(operand)
        case ast.BinOp(left=left, right=right):
            return is_number(left) and is_number(right)
        case ast.Call(func=ast.Name(id="timedelta"), args=args, keywords=keywords):
            return all(map(is_number, [*args, *(keyword.value for keyword in keywords)]))
    return False


def undocumented(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and name of a module's numeric constants without a docstring."""
    body = ast.parse(source).body
    for node, following in zip_longest(body, body[1:]):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        names = [target.id for target in targets if isinstance(target, ast.Name) and target.id.isupper()]
        if not names or not isinstance(node, ast.Assign | ast.AnnAssign) or not is_number(node.value):
            continue
        match following:
            case ast.Expr(value=ast.Constant(value=str())):
                continue
        yield node.lineno, names[0]


def numbers(source: str) -> Iterator[str]:
    """Yield the public names of a module's numeric constants."""
    for node in ast.parse(source).body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=value)
            ) if is_number(value) and name.isupper() and not name.startswith("_"):
                yield name


def modules() -> list[Path]:
    found = (path for package in CODE for path in sorted((ROOT / package).rglob("*.py")))
    return [path for path in found if "migrations" not in path.parts]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("MOST = 20", ["MOST"]),
        ("MOST: Final = 4 * 1024", ["MOST"]),
        ("REST = timedelta(minutes=10)\nNAMES = ()", ["REST"]),
        ('MOST = 20\n"""Images; real pods have a few."""', []),
        ("# Images.\nMOST = -1", ["MOST"]),
        ("IS_ON = True\nNAME = 'a'\nmost = 20", []),
    ],
)
def test_numeric_constants_without_a_docstring_are_detected(source: str, found: list[str]) -> None:
    assert [name for _, name in undocumented(source)] == found


def test_each_numeric_constant_has_a_docstring() -> None:
    missing = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in modules()
        for line, name in undocumented(path.read_text())
    ]
    assert missing == []


def test_names_of_numeric_constants_are_unique() -> None:
    files: dict[str, list[str]] = {}
    for path in modules():
        # The copy engine is a separate library.
        if not path.is_relative_to(ROOT / "mirrors/oci"):
            for name in numbers(path.read_text()):
                files.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert {name: where for name, where in files.items() if len(where) > 1} == {}
