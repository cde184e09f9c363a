"""Management commands, each in a process of its own; see ``tests.support.warm_server`` for how it starts so soon."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from typing import IO

from tests.support.migrating import ROOT

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
    ours, theirs = socket.socketpair()
    with ours, theirs:
        socket.send_fds(_server.control(), [b"+"], [theirs.fileno(), *(file.fileno() for file in files)])
        theirs.close()
        ours.settimeout(SECONDS)
        with ours.makefile("rw") as lines:
            print(json.dumps({"arguments": arguments, "environment": environment}), file=lines, flush=True)
            pid = int(lines.readline())
            try:
                return int(lines.readline())
            except TimeoutError as error:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(["manage.py", *arguments], SECONDS) from error


class _Server:
    """One a test process, from the first command to the end of the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def control(self) -> socket.socket:
        with self._lock:
            if self._control is None:
                self._control, theirs = socket.socketpair()
                with theirs:
                    number = theirs.fileno()
                    command = [sys.executable, "-m", "tests.support.warm_server", str(number)]
                    self._process = subprocess.Popen(command, cwd=ROOT, pass_fds=[number], stdin=subprocess.DEVNULL)
            return self._control


_server = _Server()
