"""Only one place in the code creates target names, and only one creates jobs."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.support.databases import ROOT

CODE = ("mirrors", "webhook", "swapper_project")


def makers(name: str) -> set[str]:
    """Return the files of the product that call a class or function by this name."""
    files = [path for package in CODE for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts]
    return {str(path.relative_to(ROOT)) for path in files if name in called(path)}


@cache
def called(path: Path) -> set[str]:
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    return {func.id for func in calls if isinstance(func, ast.Name)}


@pytest.mark.parametrize(
    ("name", "files"),
    [
        # Only `target_name` names a target. The configuration also creates one to validate a prefix.
        ("TargetName", {"mirrors/images/target_name.py", "swapper_project/config/sections/section.py"}),
        # Only `request_copies` creates a job, in a separate file.
        ("MirrorJob", {"mirrors/services/jobs/live_jobs.py"}),
        ("live_jobs", {"mirrors/services/jobs/mirroring.py"}),
    ],
)
def test_target_names_and_jobs_are_created_in_one_place(name: str, files: set[str]) -> None:
    assert makers(name) == files
