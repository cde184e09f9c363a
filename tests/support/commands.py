"""Management commands, each in a process of its own; see ``tests.support.warm_server`` for how it starts so soon."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from typing import IO

from tests.support.forked import Forked

PRODUCT = {"DJANGO_SETTINGS_MODULE": "swapper_project.settings"}
"""Processes run with the settings of the product, not with those of the tests."""

SECONDS = 100
"""That a command may take."""


def run_manage(
    *arguments: str, environment: Mapping[str, str] | None = None, check: bool = True, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a management command to its end."""
    with (
        tempfile.TemporaryFile("w+") as given,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        given.write(stdin)
        given.seek(0)
        status = _run(arguments, {**os.environ, **PRODUCT, **(environment or {})}, given, out, err)
        for file in (out, err):
            file.seek(0)
        ended = subprocess.CompletedProcess(["manage.py", *arguments], status, out.read(), err.read())
    assert not check or ended.returncode == 0, f"{arguments}: {ended.stdout}\n{ended.stderr}"
    return ended


def _run(arguments: tuple[str, ...], environment: dict[str, str], *files: IO[str]) -> int:
    process = Forked(["manage.py", *arguments], environment, files)
    try:
        return process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        raise
