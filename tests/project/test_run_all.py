"""What ``make test`` says of its suites."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.run_all import Suite, counts_of, run_suite


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("12 passed in 3.10s", {"passed": 12}),
        ("1 failed, 2 passed, 3 skipped, 4 errors in 9s", {"failed": 5, "passed": 2, "skipped": 3}),
        ("35 passed, 4523 deselected in 429.20s (0:07:09)", {"passed": 35}),
        ("no tests ran in 0.01s", {}),
    ],
)
def test_the_closing_line_is_counted(line: str, counts: dict[str, int]) -> None:
    assert counts_of(line) == counts


def test_a_suite_that_fails_says_so(tmp_path: Path) -> None:
    (tmp_path / "test_two.py").write_text("def test_one(): pass\ndef test_other(): assert 0\n")
    output = io.StringIO()
    result = run_suite(Suite("Two tests", ["-q", "--rootdir", str(tmp_path), "-c", "/dev/null", str(tmp_path)]), output)
    assert (result.status, result.counts) == (1, {"passed": 1, "failed": 1})
    assert "== Two tests" in output.getvalue() and "test_other" in output.getvalue()
    assert "1 passed, 1 failed" in str(result)
