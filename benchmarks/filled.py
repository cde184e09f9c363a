"""The frame of a benchmark that measures in a separate process, with rows that another process has written."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from benchmarks.ui import database
from tests.support.databases import ROOT
from tests.support.system import run_manage, write_config

TARGET = "mirror.example.com"


def measure_beside_rows(module: str, description: str | None, measure: Callable[[], None], *, rounds: int = 1) -> int:
    """Run the main function of ``module``: its ``fill`` writes rows, and ``measure`` prints the figures, ``rounds``
    times, each in a new process."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--filled", help=argparse.SUPPRESS)
    parser.add_argument("--sqlite", action="store_true", help="SQLite, instead of a Postgres that is started")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure()
        return 0
    with (
        tempfile.TemporaryDirectory(prefix="swapper-bench-") as name,
        database(Namespace(filled=options.filled, sqlite=options.sqlite), Path(name)) as url,
    ):
        config = write_config(Path(name) / "config.yaml", target=TARGET)
        environment = {"SWAPPER_DATABASE_URL": url, "SWAPPER_CONFIG": str(config), "SWAPPER_DATA_DIR": name}
        run_manage("prepare", environment=environment)
        run_manage("shell", "-c", f"from {module} import fill; fill()", environment=environment)
        for _ in range(rounds):
            command = [sys.executable, "-m", module, "--measure"]
            subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True)
    return 0
