"""Texts use the terms of docs/glossary.md: pages, documentation, messages and docstrings contain no banned words."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.support.databases import ROOT

BANNED: Final = {
    "log-in": r"\blog-ins?\b",
    "anew": r"\banew\b",
    "mend": r"\bmend(s|ed|ing)?\b",
    "gone": r"\bgone\b",
    "left alone": r"\b(left|leaves?|leaving)( (it|them|the image|an image))? alone\b",
    "user name": r"\buser names?\b",
    "in force": r"(?<!-)\bin force\b",
    "urgent": r"\burgen(t|cy)\b",
    "tell": r"\b(tells?|told)\b",
    "stands": r"\b(stands?|stood)\b(?!-in)",
    "come in": r"\b(comes?|came|coming) in\b(?! \w+ (form|order))",
    "go on": r"\b(goes|go|went|going) on\b",
    "whoever": r"\bwhoever\b",
    "is no": r"(?<!\bthere )\b(?-i:is no(ne)?)\b(?! longer)",
    "away": r"\b(is|are|was|were|be) away\b",
    "in peace": r"\bin peace\b",
    "no sense in": r"\bno sense in\b",
    "over their heads": r"\bover (its|their) heads?\b",
    "of late": r"\bof late\b",
    "for ever": r"\bfor ever\b",
    "in vain": r"\bin vain\b",
    "once more": r"\bonce more\b",
    "anybody": r"\b(some|any)body\b(?!-)",
    "looked at": r"\blooked at\b",
    "broke off": r"\bbroke off\b",
    "lies": r"\blies\b",
    "be had": r"\bbe had\b",
    "order a copy": r"\border(s|ed)? (a|the|its|no) cop(y|ies)\b",
}
PATTERN: Final = re.compile(rf"\b(?:{'|'.join(f'(?:{pattern})' for pattern in BANNED.values())})", re.IGNORECASE)
"""All patterns start at the start of a word, so that the regular expression skips positions within words."""

PAGES: Final = (
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "docs" / "openapi.yaml",
    *sorted((ROOT / "templates").rglob("*.html")),
    *sorted((ROOT / "mirrors/static").rglob("*.js")),
    *sorted((ROOT / "mirrors/static/mirrors").rglob("*.css")),
    *sorted((ROOT / "benchmarks").glob("*.md")),
)
WRITTEN_FOR_MACHINES: Final = (
    *(ROOT / name for name in (".ci/run", "Makefile", "Dockerfile", "compose.yaml", "mkdocs.yml", "pyproject.toml")),
    *(path for path in sorted((ROOT / ".github").rglob("*.yml"))),
    *(path for path in sorted((ROOT / "deploy").rglob("*")) if path.suffix in (".tf", ".yaml")),
    *(path for path in sorted((ROOT / "charts").rglob("*")) if path.suffix in (".yaml", ".tpl", ".txt", ".in", ".md")),
)
"""Files for programs, whose comments and messages people read."""
CODE: Final = ("mirrors", "webhook", "swapper_project", "tools")
"""Directories in which messages, comments and docstrings are checked."""

TESTS: Final = ("tests", "benchmarks")
"""Directories in which quoted strings of a single word are data, and are not checked."""


def python_files(*directories: str) -> list[Path]:
    found = (path for name in directories for path in sorted((ROOT / name).rglob("*.py")))
    return [path for path in found if "migrations" not in path.parts]


def texts(source: str) -> Iterator[tuple[int, str]]:
    """Yield all comments and strings, with their line numbers."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.STRING):
            yield token.start[0], token.string


def prose(source: str) -> Iterator[tuple[int, str]]:
    """Yield comments, docstrings and other strings that have several words."""
    return ((line, text) for line, text in texts(source) if " " in text.strip())


def found(path: Path, parts: Iterator[tuple[int, str]]) -> list[str]:
    return [
        f"{path.relative_to(ROOT)}:{line + text.count(chr(10), 0, match.start())}: {match[0]}"
        for line, text in parts
        for match in PATTERN.finditer(text)
    ]


@pytest.mark.parametrize("word", ["log-in", "ordered anew", "the mapping is none", "stands", "in force", "user name"])
def test_the_pattern_finds_banned_words(word: str) -> None:
    assert PATTERN.search(f"This is a text with {word}.")


def test_pages_and_documentation_use_plain_terms() -> None:
    assert [hit for page in (*PAGES, *WRITTEN_FOR_MACHINES) for hit in found(page, iter([(1, page.read_text())]))] == []


def test_messages_comments_and_docstrings_use_plain_terms() -> None:
    assert [hit for path in python_files(*CODE) for hit in found(path, texts(path.read_text()))] == []


def test_tests_and_benchmarks_use_plain_terms() -> None:
    files = [path for path in python_files(*TESTS) if path != Path(__file__)]
    assert [hit for path in files for hit in found(path, prose(path.read_text()))] == []


@pytest.mark.parametrize(
    ("source", "hits"),
    [
        ("# It stands here.", 1),
        ('"""A copy, gone afterwards."""', 1),
        ('KINDS = ["gone", "told"]', 0),
        ("stood = gone(told)", 0),
        ('wait_until(done, what="a stand-in for the kubelet")', 0),
    ],
)
def test_prose_is_distinguished_from_data(source: str, hits: int) -> None:
    assert len(found(ROOT / "example.py", prose(source))) == hits
