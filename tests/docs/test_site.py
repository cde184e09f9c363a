"""The documentation builds in strict mode, and the site works without any other host."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml

from tests.support.databases import ROOT
from tools.diagrams.pictures import PICTURES

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
"""Elements that make a browser load a file, with the attribute that contains its URL."""
NOT_LOADED = {"canonical", "next", "prev", "alternate"}
"""Relations of links that browsers do not load automatically."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the site, built as `make docs` builds it."""
    directory = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(directory)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert result.returncode == 0, result.stderr
    return directory


class _Loads(HTMLParser):
    """Collects the URLs that a page loads automatically."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in LOADED and not NOT_LOADED & set((given.get("rel") or "").split()):
            self.found.append(given.get(LOADED[tag]) or "")


def loads(page: Path) -> list[str]:
    parser = _Loads()
    parser.feed(page.read_text())
    return parser.found


def pages(site: Path) -> Iterator[Path]:
    found = sorted(site.rglob("*.html"))
    assert len(found) > 20
    yield from found


def test_pages_load_nothing_from_other_hosts(site: Path) -> None:
    assert [(page.name, url) for page in pages(site) for url in loads(page) if re.match(r"(\w+:)?//", url)] == []


def test_styles_load_nothing_from_other_hosts(site: Path) -> None:
    for style in site.rglob("*.css"):
        assert not re.findall(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//[^)\"']+", style.read_text()), style.name


def test_pages_do_not_fetch_repository_stars_from_github(site: Path) -> None:
    """In the browser, Material requests the stars if a repository is configured."""
    assert [page for page in pages(site) if 'data-md-component="source"' in page.read_text()] == []


def test_mkdocs_warns_about_pages_missing_from_the_navigation() -> None:
    """mkdocs reports pages that are not in the navigation, so this validation must stay configured."""
    text = (ROOT / "mkdocs.yml").read_text()
    validation = yaml.safe_load(re.split(r"^nav:", text.partition("\nvalidation:")[2], flags=re.MULTILINE)[0])

    assert validation["nav"]["omitted_files"] == "warn"


@pytest.mark.parametrize("name", PICTURES)
def test_a_committed_diagram_is_up_to_date(name: str) -> None:
    """After a change, run: python -m tools.diagrams"""
    assert (ROOT / "docs/images" / name).read_text() == PICTURES[name].svg()
