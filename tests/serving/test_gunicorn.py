"""Internals of gunicorn that our worker and connection use: an update that renames one fails in this module."""

from __future__ import annotations

import ast
import inspect
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import pytest
from gunicorn.workers import base, gthread

from swapper_project.serving import awaited, connection, worker
from tests.support.databases import ROOT

PINNED = "27.0"
"""The minor version whose internals were reviewed. Before raising it, run tests/serving and read gthread.py's
changes."""


def uses(module: ModuleType) -> set[str]:
    """Return the attributes of ``self`` that a module's classes use but do not define."""
    tree = ast.parse(inspect.getsource(module))
    used: set[str] = set()
    defined: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            defined.add(node.name)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            defined.add(node.target.id)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            (defined if isinstance(node.ctx, ast.Store) else used).add(node.attr)
    return used - defined


def provides(*modules: ModuleType) -> set[str]:
    """Return the methods and attributes of gunicorn's classes."""
    found: set[str] = set()
    for module in modules:
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.FunctionDef):
                found.add(node.name)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                found.add(node.attr)
    return found


@pytest.mark.parametrize("module", [worker, connection, awaited], ids=["worker", "connection", "awaited"])
def test_gunicorn_provides_all_attributes_that_we_use(module: ModuleType) -> None:
    missing = uses(module) - provides(gthread, base)

    assert missing == set(), f"gunicorn {version('gunicorn')} has none of these any more"


def test_accept_and_finish_request_override_gunicorn_methods() -> None:
    """gunicorn still calls the methods that we override by the same names."""
    ours = {name for name, value in vars(worker.PatientWorker).items() if inspect.isfunction(value)}
    replaced = {name for name in ours if not name.startswith("_") and hasattr(gthread.ThreadWorker, name)}

    assert {"accept", "finish_request"} <= replaced


def test_gunicorn_is_pinned_to_the_minor_version() -> None:
    assert version("gunicorn").startswith(f"{PINNED}.")
    assert f'"gunicorn=={PINNED}.*"' in Path(ROOT / "pyproject.toml").read_text()
