"""Runs the system's processes on one machine: started by exec, stopped together."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

import structlog

log = structlog.get_logger(__name__)

MANAGE: Final = Path(__file__).resolve().parent.parent / "manage.py"
STOP_WITHIN: Final = 35.0
"""Seconds that processes get for their end: a worker hands its copies back within 30."""


@dataclass(frozen=True, slots=True)
class Program:
    """One process: its name in the log, what it runs, and what its environment has beside ours."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str]


def manage(*arguments: str) -> list[str]:
    """The command line of a management command."""
    return [sys.executable, str(MANAGE), *arguments]


def gunicorn() -> list[str]:
    """The command line of webhook or web; the role is in the environment."""
    config = "python:swapper_project.gunicorn_conf"
    return [sys.executable, "-m", "gunicorn", "--config", config, "swapper_project.wsgi"]


class Supervisor:
    """Starts programs, and stops all of them when one ends or a signal asks for it."""

    def __init__(self, programs: Sequence[Program]) -> None:
        self._programs = programs
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._asked_to_stop = False

    def start(self) -> None:
        for program in self._programs:
            # A group of its own: Ctrl-C at the terminal reaches us alone, and we stop them in order.
            self._processes[program.name] = subprocess.Popen(
                program.arguments,
                env={**os.environ, **program.environment},
                cwd=MANAGE.parent,
                start_new_session=True,
            )

    def run(self) -> int:
        """Wait until a signal or the end of a process, stop the others, and return the exit status."""
        previous = {sig: signal.signal(sig, self._on_signal) for sig in (signal.SIGTERM, signal.SIGINT)}
        try:
            while not self._asked_to_stop:
                ended = {name: process.poll() for name, process in self._processes.items()}
                dead = {name: status for name, status in ended.items() if status is not None}
                if dead:
                    for name, status in dead.items():
                        log.error("A process ended; the others are stopped", process=name, status=status)
                    return 1
                time.sleep(0.2)
            return 0
        finally:
            self.stop()
            for sig, handler in previous.items():
                signal.signal(sig, handler)

    def stop(self) -> None:
        """End all processes: by SIGTERM, then by SIGKILL for what is left after STOP_WITHIN seconds."""
        for process in self._processes.values():
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + STOP_WITHIN
        for name, process in self._processes.items():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("A process did not end in time and is killed", process=name)
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def is_alive(self) -> bool:
        return all(process.poll() is None for process in self._processes.values())

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._asked_to_stop = True
