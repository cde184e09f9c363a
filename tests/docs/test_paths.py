"""The documentation names only files of this repository that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.markdown import PAGES, anchors, code
from tests.support.databases import ROOT

EVERY_PAGE = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "benchmarks/README.md"]
FOLDERS = (
    "benchmarks",
    "charts",
    "docs",
    "mirrors",
    "requirements",
    "swapper_project",
    "templates",
    "tests",
    "webhook",
)
_PATH = re.compile(rf"(?<![\w./-])(?:{'|'.join(FOLDERS)})/[\w./-]*\w/?")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_MODULE = re.compile(r"\w+\.py")
PLACEHOLDERS = {"mirrors/registries/NAME.py"}
"""Files that readers are to create."""


def paths(text: str) -> set[str]:
    """Return the paths of the repository in code spans and fenced blocks, without the arguments around them."""
    fenced = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return {path for part in (*fenced, *spans(text)) for path in _PATH.findall(part)} - PLACEHOLDERS


def spans(text: str) -> list[str]:
    return [span for line in text.splitlines() for span in code(line)]


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_refers_only_to_existing_files(page: Path) -> None:
    missing = {path for path in paths(page.read_text()) if not (ROOT / path).exists()}

    assert missing == set()


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: str(page.relative_to(ROOT)))
def test_modules_mentioned_without_a_folder_exist(page: Path) -> None:
    modules = {path.name for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")} | {"manage.py"}

    assert {span for span in spans(page.read_text()) if _MODULE.fullmatch(span)} <= modules


@pytest.mark.parametrize("page", EVERY_PAGE, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_and_anchors_resolve(page: Path) -> None:
    for link in _LINK.findall(page.read_text()):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        other = page.parent / name if name else page
        assert other.exists(), link
        assert not anchor or anchor in anchors(other), link


def test_paths_are_found_in_code_spans_and_fenced_blocks() -> None:
    text = "see `tests/a.py`, `make x ARGS=mirrors/b`\n```\ndocs/c.md  what it is\n```\nand \\`not/docs/d.md`"

    assert paths(text) == {"tests/a.py", "mirrors/b", "docs/c.md"}
