"""Real processes that use the test's own database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connection

from tests.support.databases import ROOT
from tests.support.ports import free_port, wait_until
from tests.support.system import Process

FAST = {
    "heartbeat": 0.3,
    "lease": 3.0,
    "poll": 0.05,
    "linger": 0.2,
    "reconcile_period": 0.3,
    "hand_back_within": 1.5,
    "stop_within": 4.0,
}


def database_url() -> str:
    """Return the URL of the database that this test's ORM uses."""
    settings: Mapping[str, Any] = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{settings['NAME']}"
    return f"postgres://{settings['USER']}@{settings['HOST']}:{settings['PORT']}/{settings['NAME']}"


def environment(config: Path, directory: Path, **extra: str) -> dict[str, str]:
    return {
        "SWAPPER_CONFIG": str(config),
        "SWAPPER_DATABASE_URL": database_url(),
        "SWAPPER_DATA_DIR": str(directory),
        "SWAPPER_ROLE": "worker",
        "SWAPPER_BIND": f"127.0.0.1:{free_port()}",
        "DJANGO_SETTINGS_MODULE": "tests.jobs.worker_settings",
        "TEST_JOB_TIMING": json.dumps(FAST),
        **extra,
    }


@contextmanager
def worker(config: Path, directory: Path, **extra: str) -> Iterator[Process]:
    """Run a worker and wait until it is ready. Its remaining processes are killed at the end."""
    directory.mkdir(exist_ok=True)
    process = Process(
        [sys.executable, "manage.py", "worker"], environment(config, directory, **extra), directory / "worker.log"
    )
    process.start()
    try:
        wait_until(lambda: _is_ready(process), what=f"a worker that is ready (log: {process.log})")
        yield process
    finally:
        process.stop()


def _is_ready(process: Process) -> bool:
    log = process.log.read_text()
    assert process.popen is not None and process.popen.poll() is None, log
    return "The worker is ready" in log


def race(what: str, processes: int, *arguments: str, config: Path, directory: Path, **extra: str) -> Any:
    """Return the result of each of these processes. See ``tests.jobs.race``."""
    result = subprocess.run(
        [sys.executable, "-m", "tests.jobs.race", what, str(processes), *arguments],
        cwd=ROOT,
        env={**os.environ, **environment(config, directory, **extra)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
