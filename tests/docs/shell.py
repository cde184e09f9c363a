"""The shell commands of the documentation's pages, including those in lists."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.databases import ROOT

DOCS = ROOT / "docs"
PAGES = [
    DOCS / f"{name}.md"
    for name in (
        "install", "terraform", "migration", "cookbook", "sizing", "disasters", "security", "faq", "architecture",
        "development/release",
    )
]  # fmt: skip
"""Pages on which each command is run by a test, or is marked with what it needs."""

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>.*)$")
_NEEDS = re.compile(r"<!-- needs: (cluster|cloud) -->")


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced block. ``needs`` is ``cluster`` or ``cloud`` if no test can run it."""

    place: str
    info: str
    text: str
    needs: str

    @property
    def is_shell(self) -> bool:
        return self.info.split(" ")[0] in ("bash", "sh", "shell", "console")

    @property
    def is_values(self) -> bool:
        """Whether it is a values file for the chart."""
        return self.info == 'yaml title="values.yaml"'


def fences(page: Path) -> Iterator[Fence]:
    """Yield all fenced blocks of a page, in order."""
    before, opened = "", None
    lines: list[str] = []
    for number, line in enumerate(page.read_text().splitlines(), 1):
        match = _FENCE.match(line)
        if opened is None:
            if match:
                opened, lines = (match, number), []
            elif line.strip():
                before = line
        elif match and match["indent"] == opened[0]["indent"] and not match["info"]:
            needs = _NEEDS.fullmatch(before.strip())
            text = textwrap.dedent("\n".join(lines)) + "\n"
            yield Fence(f"{page.name}:{opened[1]}", opened[0]["info"].strip(), text, needs[1] if needs else "")
            opened, before = None, ""
        else:
            lines.append(line)
