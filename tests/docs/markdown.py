"""Reads tables and code blocks of the documentation's pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.databases import ROOT

PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])

# A code span with one or more backticks. Spaces at its ends separate backticks of its content.
_CODE = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_BAR = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block. ``place`` is its page and line number; ``language`` is all text after the opening fence."""

    place: str
    language: str
    text: str


def rows(page: Path, *headings: str) -> list[list[str]]:
    """Return the rows of all tables of a page that have exactly these headings."""
    found: list[list[str]] = []
    is_wanted = False
    for line in page.read_text().splitlines():
        if not line.startswith("|"):
            is_wanted = False
            continue
        cells = [cell.strip().replace("\\|", "|") for cell in _BAR.split(line)[1:-1]]
        if cells == list(headings):
            is_wanted = True
        elif is_wanted and not set("".join(cells)) <= set("-:"):
            found.append(cells)
    return found


def code(cell: str) -> list[str]:
    """Return the code spans in a cell."""
    return [match[2].strip() for match in _CODE.finditer(cell)]


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    opened: Block | None = None
    lines: list[str] = []
    indent = ""
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if not line.lstrip().startswith("```"):
            lines.append(line.removeprefix(indent))
        elif opened is None:
            indent, _, language = line.partition("```")
            opened, lines = Block(f"{page.name}:{number}", language.strip(), ""), []
        else:
            yield Block(opened.place, opened.language, "\n".join(lines) + "\n")
            opened = None


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, with GitHub's rule."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def script(page: Path, name: str) -> str:
    """Return the text of the only block of shell commands that has this name after its language."""
    (text,) = [block.text for block in blocks(page) if block.language == f"sh {name}"]
    return text
