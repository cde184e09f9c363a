"""Run management commands, each in its own process. ``tests.support.warm_server`` explains why they start quickly."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from typing import IO

from tests.support.forked import Forked
from tests.support.warm_project import PRODUCT as PRODUCT

SECONDS = 100
"""The longest time that a command can take."""


def run_manage(
    *arguments: str, environment: Mapping[str, str] | None = None, check: bool = True, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a management command and wait for it to exit."""
    return _run(["manage.py", *arguments], environment, check=check, stdin=stdin)


def run_program(module: str, *, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a module with the settings of the product and wait for it to exit."""
    return _run(["-m", module], environment)


def _run(
    arguments: list[str], environment: Mapping[str, str] | None, *, check: bool = True, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    with (
        tempfile.TemporaryFile("w+") as given,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        given.write(stdin)
        given.seek(0)
        status = _wait(arguments, {**os.environ, **PRODUCT, **(environment or {})}, given, out, err)
        for file in (out, err):
            file.seek(0)
        result = subprocess.CompletedProcess(arguments, status, out.read(), err.read())
    assert not check or result.returncode == 0, f"{arguments}: {result.stdout}\n{result.stderr}"
    return result


def _wait(arguments: list[str], environment: dict[str, str], *files: IO[str]) -> int:
    process = Forked(arguments, environment, files)
    try:
        return process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        raise
