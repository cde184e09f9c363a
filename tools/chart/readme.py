"""Generates the chart's README.md from a template, with a table of the values for each section of values.yaml."""

from __future__ import annotations

import json
from typing import Any, Final

from tools.chart.comments import Value

PLACEHOLDER: Final = "<!-- values -->"


def build(text: str, chart: dict[str, Any], documented: list[Value]) -> str:
    """Return ``text`` with versions and tables inserted."""
    titles = list(dict.fromkeys(value.section for value in documented))
    tables = "\n".join(_table(title, [value for value in documented if value.section == title]) for title in titles)
    versions = text.replace("<!-- version -->", chart["version"]).replace("<!-- appVersion -->", chart["appVersion"])
    return versions.replace(PLACEHOLDER, tables.strip())


def _table(title: str, values: list[Value]) -> str:
    rows = (f"| `{value.path}` | {_default(value.default)} | {_cell(value.meaning)} |" for value in values)
    return "\n".join([f"### {title}", "| Value | Default | Meaning |", "|---|---|---|", *rows, ""])


def _default(default: Any) -> str:
    return "" if default is None else f"`{_cell(json.dumps(default, ensure_ascii=False))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
