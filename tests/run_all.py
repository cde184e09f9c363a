"""Run all suites: on SQLite, database tests on Postgres, in the browser, in the container image, and on a real API
server. Print their counts last.

The suites run in two concurrent lanes: suites that mostly use the processors, and suites that mostly wait for
containers and pods. A lane runs one suite at a time. The browser suite is in the first lane, which would otherwise
finish earlier. `--sqlite` runs only the first suite. Other arguments are passed to pytest.

If only a few files have failed tests, these tests are repeated one by one at the end, when nothing else runs. If they
pass then, the run passes, and its last lines name them with their errors: such tests depend on the load and need to be
corrected.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import IO

from tests import tools
from tests.support.shared_artifacts import SHARED

TESTS_FAILED = 1
"""pytest's exit status when all tests ran and some of them failed. Other statuses mean that it could not run all
tests."""

NOTHING_SELECTED = 5
"""pytest's exit status when the arguments select no test of a suite."""

MOST_REPEATED = 5
"""The most files of all suites whose failed tests are repeated. If more files fail, the cause is not the load. Files
are counted because one server that does not start fails all tests of a file."""

FAILURE = re.compile(r"(FAILED|ERROR) \S")
SUMMARY = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")
KINDS = ("passed", "failed", "skipped")


@dataclass(frozen=True)
class Suite:
    title: str
    arguments: list[str]
    environment: dict[str, str] = field(default_factory=dict)

    def repeated(self) -> Suite:
        """Return the suite that repeats, one by one, only the tests that failed in the last run."""
        arguments = [*self.arguments, "-n", "0", "--last-failed", "--last-failed-no-failures", "none"]
        return replace(self, title=f"{self.title}: repeat of the failed tests", arguments=arguments)


@dataclass(frozen=True)
class Result:
    """The result of a suite: pytest's exit status, the counts of its closing line, the duration in seconds, and
    pytest's line for each failed test."""

    suite: Suite
    status: int
    counts: dict[str, int]
    seconds: float
    failures: list[str]

    def __str__(self) -> str:
        counts = ", ".join(f"{self.counts[kind]} {kind}" for kind in KINDS if self.counts.get(kind))
        return "\n".join([f"{self.suite.title}: {counts or 'nothing to run'} in {self.seconds:.0f} s", *self.failures])


def run_suite(suite: Suite, output: IO[str]) -> Result:
    """Run pytest and write its output as it is produced."""
    print(f"== {suite.title}", file=output, flush=True)
    started = time.monotonic()
    # Suites run concurrently, so each has its own cache of failed tests.
    cache = f"cache_dir=.pytest_cache/{re.sub(r'[^a-z]+', '-', suite.title.partition(':')[0].lower())}"
    command = [sys.executable, "-m", "pytest", "-o", cache, *suite.arguments]
    process = subprocess.Popen(command, env={**os.environ, **suite.environment}, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    last, failures = "", []
    for line in process.stdout:
        print(line, end="", file=output, flush=True)
        last = line if SUMMARY.search(line) else last
        if FAILURE.match(line):
            failures.append(line.rstrip())
    return Result(suite, process.wait(), counts_of(last), time.monotonic() - started, failures)


def counts_of(closing_line: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    for number, kind in SUMMARY.findall(closing_line):
        kind = "failed" if kind.startswith("error") else kind
        counts[kind] = counts.get(kind, 0) + int(number)
    return counts


def on_sqlite(extra: list[str], processes: str) -> Suite:
    marks = "not browser and not image and not cluster"
    return Suite("All tests, on SQLite", ["-m", marks, *spread(processes), *extra])


def spread(processes: str) -> list[str]:
    """Return pytest's options that distribute the tests over this number of processes."""
    return ["-n", processes, "--dist", "worksteal"]


def busy_suites(extra: list[str], processes: str) -> list[Suite]:
    """Return the suites that mostly use the processors."""
    suites = [on_sqlite(extra, processes)]
    # The browser suite mostly waits for pages, and runs alone once the other lane has finished.
    browser = _in_directory("In the browser", "browser", "tests/browser", extra, "-n", "2", "--dist", "loadfile")
    if tools.missing(["postgres"]) and os.environ.get("CI") != "true":
        print("== Skipped: tests that depend on the database, on Postgres (not installed)", flush=True)
        return [*suites, browser]
    postgres = ["-m", "database and not cluster and not image", *spread(processes), *extra]
    environment = {"SWAPPER_TEST_DATABASE": "postgres"}
    return [*suites, Suite("What depends on the database, on Postgres", postgres, environment), browser]


def waiting_suites(extra: list[str]) -> list[Suite]:
    """Return the suites that start a whole cluster or image once and mostly wait for it."""
    return [
        _in_directory("On a real API server with its controllers", "cluster", "tests/e2e", extra),
        _in_directory("The container image", "image", "tests/image", extra),
    ]


def _in_directory(title: str, mark: str, directory: str, extra: list[str], *options: str) -> Suite:
    # Collecting all other tests takes longer than some suites. Arguments can name other paths.
    return Suite(title, ["-m", mark, *options, *(extra or [directory])])


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="swapper-tests-shared-") as shared:
        os.environ[SHARED] = shared
        return run_all()


def run_all() -> int:
    extra = [argument for argument in sys.argv[1:] if argument != "--sqlite"]
    processes = os.environ.get("SWAPPER_TEST_PROCESSES", "3")
    if "--sqlite" in sys.argv[1:]:
        results = [run_suite(on_sqlite(extra, processes), sys.stdout)]
    else:
        results = run_lanes(busy_suites(extra, processes), waiting_suites(extra))
    again = repeat(results)
    print(*results, *again, sep="\n")
    totals = {kind: sum(result.counts.get(kind, 0) for result in results) for kind in KINDS}
    print(f"{totals['passed']} passed, {totals['failed']} failed, {totals['skipped']} skipped", flush=True)
    if again:
        print(f"Of those that failed, {sum(one.counts.get('passed', 0) for one in again)} passed when run alone")
    return status_of(results, again)


def run_lanes(busy: list[Suite], waiting: list[Suite]) -> list[Result]:
    """Run both lanes. Print the output of the second lane after the first has finished, because mixed output is
    unreadable."""
    with tempfile.TemporaryFile("w+") as kept, ThreadPoolExecutor(1) as pool:
        second = pool.submit(lambda: [run_suite(suite, kept) for suite in waiting])
        results = [run_suite(suite, sys.stdout) for suite in busy]
        results += second.result()
        kept.seek(0)
        print(kept.read(), end="", flush=True)
    return results


def repeat(results: list[Result]) -> list[Result]:
    """Run the failed tests again if only a few files have any."""
    failed = repeatable(results)
    if sum(len(set(map(_file_of, result.failures))) for result in failed) > MOST_REPEATED:
        return []
    return [run_suite(result.suite.repeated(), sys.stdout) for result in failed]


def _file_of(failure: str) -> str:
    """Return the file in a line of pytest's summary, such as ``FAILED tests/a.py::test_b - AssertionError``."""
    return failure.split()[1].partition("::")[0]


def repeatable(results: list[Result]) -> list[Result]:
    return [result for result in results if result.status == TESTS_FAILED and result.failures]


def status_of(results: list[Result], again: list[Result]) -> int:
    """Return pytest's exit status for all suites, counting the last run of each suite."""
    finished = {result.suite.title: result.status for result in results}
    for first, last in zip(repeatable(results), again, strict=False):
        finished[first.suite.title] = last.status
    statuses = set(finished.values())
    return max(statuses - {NOTHING_SELECTED} or statuses)


if __name__ == "__main__":
    sys.exit(main())
