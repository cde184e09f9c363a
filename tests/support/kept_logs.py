"""Add the logs of a failed test's processes to its report, because a failure on another machine leaves nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

SHOWN_CHARACTERS = 6000
"""The number of characters shown from the end of each log, about forty structured lines."""


def add_logs(item: pytest.Item, report: pytest.TestReport) -> None:
    for directory in sorted(set(_directories(item))):
        for log in sorted(directory.rglob("*.log")):
            text = log.read_text(errors="replace")[-SHOWN_CHARACTERS:]
            if text.strip():
                report.sections.append((f"End of {log.relative_to(directory)}", text))


def _directories(item: pytest.Item) -> Iterator[Path]:
    """Yield the directory of the test and the directories of the systems in its fixtures."""
    for name, value in getattr(item, "funcargs", {}).items():
        if name == "plane":
            continue  # skip hundreds of lines that do not concern the product
        directory = value if name == "tmp_path" else getattr(value, "directory", None)
        if isinstance(directory, Path) and directory.is_dir():
            yield directory
