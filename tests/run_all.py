"""All suites: on SQLite, what depends on the database on Postgres, in the browser, in
the container image, and on a real API server. Their counts come last."""

from __future__ import annotations

import os
import re
import subprocess
import sys

from tests import tools

NOTHING_SELECTED = 5
"""pytest's status when the arguments leave nothing of a suite to run."""

SUMMARY = re.compile(r"(\d+) (passed|failed|skipped|errors?)\b")


def run(title: str, arguments: list[str], **environment: str) -> tuple[int, dict[str, int]]:
    """Run pytest, showing its output as it comes; exit status and counts of its closing line."""
    print(f"== {title}", flush=True)
    command = [sys.executable, "-m", "pytest", *arguments]
    process = subprocess.Popen(command, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    last = ""
    for line in process.stdout:
        print(line, end="", flush=True)
        last = line if SUMMARY.search(line) else last
    counts: dict[str, int] = {}
    for number, kind in SUMMARY.findall(last):
        kind = "failed" if kind.startswith("error") else kind
        counts[kind] = counts.get(kind, 0) + int(number)
    return process.wait(), counts


def main() -> int:
    extra = sys.argv[1:]
    processes = os.environ.get("SWAPPER_TEST_PROCESSES", "3")
    spread = ["-n", processes, "--dist", "worksteal", *extra]
    runs = [run("All tests, on SQLite", ["-m", "not browser and not image and not cluster", *spread])]
    if tools.missing(["postgres"]) and os.environ.get("CI") != "true":
        print("== Left out: what depends on the database, on Postgres (not installed)", flush=True)
    else:
        arguments = ["-m", "database and not cluster and not image", *spread]
        runs.append(run("What depends on the database, on Postgres", arguments, SWAPPER_TEST_DATABASE="postgres"))
    # Each process starts a whole system and a browser: few of them, and each with whole files.
    runs.append(
        run("In the browser", ["-m", "browser", "-n", str(min(2, int(processes))), "--dist", "loadfile", *extra])
    )
    runs.append(run("The container image", ["-m", "image", *extra]))
    runs.append(run("On a real API server with its controllers", ["-m", "cluster", *extra]))
    total = {kind: sum(counts.get(kind, 0) for _, counts in runs) for kind in ("passed", "failed", "skipped")}
    print(f"{total['passed']} passed, {total['failed']} failed, {total['skipped']} skipped", flush=True)
    statuses = {status for status, _ in runs}
    return max(statuses - {NOTHING_SELECTED} or statuses)


if __name__ == "__main__":
    sys.exit(main())
