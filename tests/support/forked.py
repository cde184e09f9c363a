"""Processes forked from a process that has the libraries loaded: see ``tests.support.warm_server``."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import IO

from tests.support import warm_project
from tests.support.migrating import ROOT


class Forked:
    """The process that ``python ARGUMENTS`` would start, with the methods of ``subprocess.Popen`` that tests use.

    ``arguments`` are a script of the checkout or ``-m MODULE``, followed by its arguments. ``files`` are standard
    input, output and error. With ``leads_group``, the process gets its own session and process group. With
    ``ends_with_us``, it is killed when this process exits for any reason. Thread-safe.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        files: Sequence[IO[str] | IO[bytes]],
        *,
        leads_group: bool = False,
        ends_with_us: bool = False,
    ) -> None:
        self.args = list(arguments)
        self.returncode: int | None = None
        self._reading = threading.Lock()
        self._connection, theirs = socket.socketpair()
        with theirs:
            numbers = [theirs.fileno(), *(file.fileno() for file in files)]
            server = _project if warm_project.can_start(self.args, environment) else _libraries
            socket.send_fds(server.control(), [b"+"], numbers)
        flags = {"leads_group": leads_group, "ends_with_us": ends_with_us}
        request = {"arguments": self.args, "environment": dict(environment), **flags}
        self._connection.sendall(json.dumps(request).encode() + b"\n")
        self.pid = int(self._line())

    def poll(self) -> int | None:
        """Return the exit status, or None while the process runs."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process to exit and return its status. Raise subprocess.TimeoutExpired after ``timeout``
        seconds."""
        if self.returncode is None and not select.select([self._connection], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        with self._reading:  # The connection stays open, because another thread may wait on it.
            if self.returncode is None:
                self.returncode = int(self._line())
            return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has exited."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def _line(self) -> bytes:
        """Read a line byte by byte, so that data after it still wakes ``select``."""
        line = b""
        while not line.endswith(b"\n"):
            byte = self._connection.recv(1)
            assert byte, f"the warm server has stopped before {self.args}"
            line += byte
        return line


class _Server:
    """A warm server, one of each kind per test process. It runs from the first command until the test process exits."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._lock = threading.Lock()
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def control(self) -> socket.socket:
        with self._lock:
            if self._control is None:
                self._control, theirs = socket.socketpair()
                with theirs:
                    number = theirs.fileno()
                    command = [sys.executable, "-m", "tests.support.warm_server", str(number), self._kind]
                    self._process = subprocess.Popen(
                        command,
                        cwd=ROOT,
                        env={**os.environ, **warm_project.PRODUCT},
                        pass_fds=[number],
                        stdin=subprocess.DEVNULL,
                    )
            return self._control


_libraries = _Server("libraries")
_project = _Server(warm_project.KIND)
