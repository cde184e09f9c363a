"""The pages for developers describe each directory and each model, and name only files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.apps import apps

from tests.support.databases import ROOT

PAGES = sorted((ROOT / "docs/development").glob("*.md"))
NAMED = re.compile(r"`((?:mirrors|webhook|swapper_project|tests|docs|templates|benchmarks)/[\w./-]*)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_exist(page: Path) -> None:
    named = NAMED.findall(page.read_text())
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_each_model_is_described() -> None:
    described = re.findall(r"^## (\w+)$", (ROOT / "docs/development/models.md").read_text(), re.MULTILINE)
    labels = ("mirrors", "accounts")
    assert sorted(described) == sorted(
        model.__name__ for label in labels for model in apps.get_app_config(label).get_models()
    )


def test_each_folder_is_described_on_the_index_page() -> None:
    described = set(NAMED.findall((ROOT / "docs/development/index.md").read_text()))
    folders = {
        str(path.parent.relative_to(ROOT))
        for package in ("mirrors", "webhook", "swapper_project")
        for path in (ROOT / package).rglob("*.py")
    }
    known = {name.rstrip("/") for name in described}
    unknown = {
        folder
        for folder in folders
        if "/" in folder and not any(folder == name or folder.startswith(f"{name}/") for name in known)
    }
    assert (
        unknown
        - {
            "mirrors/migrations",
            "mirrors/jobs",
            "mirrors/kubernetes",
            "webhook/management",
            "webhook/management/commands",
            "mirrors/templatetags",
            "mirrors/demo",
        }
        == set()
    )
