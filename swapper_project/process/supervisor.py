"""Runs the processes of the system on one machine: starts them, restarts those that exit, and stops them together."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Final

import structlog

from swapper_project.process.parent_death import die_with_parent

log = structlog.get_logger(__name__)

MANAGE: Final = Path(__file__).resolve().parents[2] / "manage.py"
STOP_TIMEOUT: Final = 35.0
"""Seconds that processes have to stop: a worker returns its jobs to the queue within 30."""

STARTED_AFTER: Final = 15.0
"""Seconds after which a process counts as successfully started."""

LONGEST_RESTART_PAUSE: Final = 30.0
"""The maximum pause in seconds between two starts of a process that exits again and again."""

PROCESS_CHECK_INTERVAL: Final = 0.2
"""Seconds between two checks of the processes."""


@dataclass(frozen=True, slots=True)
class Program:
    """One program: its name in the log, its command line, and variables to add to the inherited environment."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]


def manage(*arguments: str) -> list[str]:
    """Return the command line of a management command."""
    return [sys.executable, str(MANAGE), *arguments]


def gunicorn() -> list[str]:
    """Return the command line of webhook or web. The role is in the environment."""
    config = "python:swapper_project.gunicorn_conf"
    return [sys.executable, "-m", "gunicorn", "--config", config, "swapper_project.wsgi"]


class Supervisor:
    """Starts programs, and restarts those that exit, until a stop signal.

    If a program exits shortly after its start, and has never run for longer, its settings are probably wrong: then all
    programs are stopped.
    """

    def __init__(self, programs: Sequence[Program]) -> None:
        self._processes = [_ManagedProcess(program) for program in programs]
        self._stop_requested = False

    def run(self) -> int:
        """Start and monitor the processes until a signal. Return the exit status."""
        previous = {sig: signal.signal(sig, self._on_signal) for sig in (signal.SIGTERM, signal.SIGINT)}
        try:
            for process in self._processes:
                process.start()
            while not self._stop_requested:
                if not all(process.check() for process in self._processes):
                    return 1
                time.sleep(PROCESS_CHECK_INTERVAL)
            return 0
        finally:
            self.stop()
            for sig, handler in previous.items():
                signal.signal(sig, handler)

    def stop(self) -> None:
        """Stop all processes by SIGTERM, and those that still run after STOP_TIMEOUT seconds by SIGKILL."""
        for process in self._processes:
            process.terminate()
        deadline = time.monotonic() + STOP_TIMEOUT
        for process in self._processes:
            process.wait(max(0.1, deadline - time.monotonic()))

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._stop_requested = True


class _ManagedProcess:
    """Keeps one program running: it holds the current process of the program."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = self._restart_at = 0.0
        self._has_started = False
        self._restarts = 0

    def start(self) -> None:
        # In a separate session, so that Ctrl-C at the terminal reaches only the supervisor, which stops its children.
        self._process = subprocess.Popen(
            self._program.arguments,
            env={**os.environ, **self._program.environment},
            cwd=MANAGE.parent,
            start_new_session=True,
            preexec_fn=partial(die_with_parent(signal.SIGTERM), os.getpid()),
        )
        self._started_at = time.monotonic()

    def check(self) -> bool:
        """Restart the process if it has exited, after a pause. Return false if a restart would not help."""
        now = time.monotonic()
        if self._process is None:
            if now >= self._restart_at:
                self.start()
            return True
        if now - self._started_at > STARTED_AFTER:
            self._has_started, self._restarts = True, 0
        status = self._process.poll()
        if status is None:
            return True
        self._kill_group()
        # A program that was killed by a signal was possibly healthy.
        if not self._has_started and status >= 0:
            log.error(
                "A process exited during its start; the others are stopped", process=self._program.name, status=status
            )
            return False
        pause = min(LONGEST_RESTART_PAUSE, 2.0**self._restarts)
        self._process, self._restart_at, self._restarts = None, now + pause, self._restarts + 1
        log.error("A process exited and is restarted", process=self._program.name, status=status, seconds=pause)
        return True

    def terminate(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def wait(self, seconds: float) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            log.warning("A process did not exit in time and is killed", process=self._program.name)
        self._kill_group()
        self._process.wait()

    def _kill_group(self) -> None:
        """Kill the process group, because child processes must not run alongside the replacement of their parent."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
