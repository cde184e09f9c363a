"""The summary that ``make test`` prints for its suites."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tests.run_all import Suite, counts_of, repeat, run_suite, status_of


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("12 passed in 3.10s", {"passed": 12}),
        ("1 failed, 2 passed, 3 skipped, 4 errors in 9s", {"failed": 5, "passed": 2, "skipped": 3}),
        ("35 passed, 4523 deselected in 429.20s (0:07:09)", {"passed": 35}),
        ("no tests ran in 0.01s", {}),
    ],
)
def test_the_pytest_summary_line_is_parsed(line: str, counts: dict[str, int]) -> None:
    assert counts_of(line) == counts


def small_suite(title: str, root: Path, tests: Path, *arguments: str) -> Suite:
    """Return a suite of a few tests. It loads only the plugin that it needs, because all of them take seconds."""
    own = ["-p", "xdist", "--rootdir", str(root), "-c", "/dev/null", *arguments, str(tests)]
    return Suite(title, own, {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"})


def test_a_failed_suite_reports_its_status_and_failures(tmp_path: Path) -> None:
    (tmp_path / "test_two.py").write_text("def test_one(): pass\ndef test_other(): assert 0\n")
    output = io.StringIO()
    result = run_suite(small_suite("Two tests", tmp_path, tmp_path, "-q"), output)
    assert (result.status, result.counts) == (1, {"passed": 1, "failed": 1})
    assert "== Two tests" in output.getvalue() and "test_other" in output.getvalue()
    assert "1 passed, 1 failed" in str(result)


ONCE = """
from pathlib import Path
def test_always(): {always}
def test_once():
    mark = Path(__file__).with_name("seen")
    seen, _ = mark.exists(), mark.write_text("")
    assert seen, "the first time"
"""


@pytest.mark.parametrize(("always", "status"), [("pass", 0), ("assert 0", 1)])
def test_a_few_failed_tests_are_repeated_once(tmp_path: Path, always: str, status: int) -> None:
    directory = tmp_path / "tests"
    directory.mkdir()
    (directory / "test_two.py").write_text(ONCE.format(always=always))
    suite = small_suite(f"Two tests of {tmp_path.name}", tmp_path, directory)
    first = run_suite(suite, io.StringIO())
    assert first.status == 1 and any("::test_once" in line for line in first.failures)
    again = repeat([first])
    assert [result.counts.get("passed") for result in again] == [1]
    assert status_of([first], again) == status
    assert repeat([first] * 6) == []


SERVER = """
import pytest
from pathlib import Path
@pytest.fixture(scope="module")
def server():
    mark = Path(__file__).with_name("seen")
    seen, _ = mark.exists(), mark.write_text("")
    assert seen, "the first time"
@pytest.mark.parametrize("n", range(12))
def test_it(server, n): pass
"""


def test_tests_of_a_server_that_failed_to_start_are_repeated(tmp_path: Path) -> None:
    directory = tmp_path / "tests"
    directory.mkdir()
    (directory / "test_server.py").write_text(SERVER)
    suite = small_suite(f"A server of {tmp_path.name}", tmp_path, directory)
    first = run_suite(suite, io.StringIO())
    assert len(first.failures) == 12
    assert [result.counts.get("passed") for result in repeat([first])] == [12]


def test_a_suite_with_an_import_error_is_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "test_broken.py").write_text("import nothing_of_this_name\n")
    (tmp_path / "test_other.py").write_text("def test_one(): pass\n")
    suite = small_suite(f"Files of {tmp_path.name}", tmp_path, tmp_path)

    first = run_suite(suite, io.StringIO())

    assert first.failures and first.status == 2, "no test was run"
    assert repeat([first]) == [] and status_of([first], []) == 2
