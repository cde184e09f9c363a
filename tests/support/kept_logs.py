"""What the processes of a failed test have logged, in its report: a failure on another machine leaves nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

SHOWN_CHARACTERS = 6000
"""Of the end of each log: some forty structured lines."""


def add_logs(item: pytest.Item, report: pytest.TestReport) -> None:
    for directory in sorted(set(_directories(item))):
        for log in sorted(directory.rglob("*.log")):
            text = log.read_text(errors="replace")[-SHOWN_CHARACTERS:]
            if text.strip():
                report.sections.append((f"End of {log.relative_to(directory)}", text))


def _directories(item: pytest.Item) -> Iterator[Path]:
    """The test's own, and those of the systems that it was given."""
    for name, value in getattr(item, "funcargs", {}).items():
        if name == "plane":
            continue  # hundreds of lines that say nothing of the product
        directory = value if name == "tmp_path" else getattr(value, "directory", None)
        if isinstance(directory, Path) and directory.is_dir():
            yield directory
