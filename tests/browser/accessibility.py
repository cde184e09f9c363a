"""Serious and critical findings of axe-core on a page, and findings that the project cannot fix."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Final

from axe_playwright_python.base import AXE_FILE_PATH
from playwright.sync_api import Page

GRAVE: Final = ("serious", "critical")
COLOURS: Final = ("color-contrast", "link-in-text-block")
"""Rules whose result only the theme can change."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """A finding in code of other projects: axe's rule, a pattern for the element's path, and why it is accepted."""

    rule: str
    element: str
    reason: str


ALLOWED: Final = (
    Allowed(
        "aria-prohibited-attr",
        r"\.help-tooltip",
        "Django's own two-box chooser of permissions labels its help icons so, by script.",
    ),
)

MANY_ROWS: Final = "#result_list > tbody:nth-of-type(n+21)"
"""Rows that are excluded because they are like the previous ones. axe needs a tenth of a second for each row."""

_SCRIPT: Final = AXE_FILE_PATH.read_text()


def grave_faults(page: Page, *, rules: tuple[str, ...] = ()) -> list[str]:
    """Return serious and critical findings, each as one line: rule, element and problem. ``rules`` limits the check."""
    options: dict[str, Any] = {"resultTypes": ["violations"]}
    if rules:
        options["runOnly"] = {"type": "rule", "values": list(rules)}
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(_SCRIPT)
    found = page.evaluate(f"axe.run({{exclude: [{MANY_ROWS!r}]}}, {json.dumps(options)})")
    return [
        f"{violation['id']}: {' '.join(map(str, node['target']))} {node['html'][:160]} {_words(node)}"
        for violation in found["violations"]
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
        if not _is_allowed(violation["id"], " ".join(map(str, node["target"])))
    ]


def _words(node: dict[str, Any]) -> str:
    return "; ".join(check["message"] for check in (*node["any"], *node["all"], *node["none"]))[:200]


def _is_allowed(rule: str, element: str) -> bool:
    return any(allowed.rule == rule and re.search(allowed.element, element) for allowed in ALLOWED)
