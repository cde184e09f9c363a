"""The four engines that are compared. Each copies pairs of references, and returns the time and memory that it used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from tests.support.go_tools import GoTool, build, path_of

PEERS = {
    "crane": GoTool("github.com/google/go-containerregistry/cmd/crane", "v0.22.1"),
    "regctl": GoTool("github.com/regclient/regclient/cmd/regctl", "v0.11.7"),
}

JOBS = 16
"""Concurrent transfers, for engines that have a setting: the same as in our own pool of blobs."""

PATIENCE = 600
"""The timeout of one command in seconds."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run. ``seconds`` is None if a copy failed, and ``error`` is the reason. ``cpu`` is the CPU seconds of all
    processes, including their start; ``peak_mib`` is measured only for our engine."""

    seconds: float | None
    peak_mib: float
    cpu: float
    error: str = ""


Pairs = Sequence[tuple[str, str]]
"""Source and target references."""


class CopyEngine(Protocol):
    @property
    def name(self) -> str: ...

    def copy(self, pairs: Pairs, *, at_once: int) -> Run:
        """Copy all pairs, ``at_once`` of them concurrently."""
        ...


@dataclass(frozen=True, slots=True)
class Ours:
    """Our engine: one process for all images, like a worker. The process itself measures the time after its start."""

    name: str = "ours"

    def copy(self, pairs: Pairs, *, at_once: int) -> Run:
        command = [sys.executable, "-m", "benchmarks.copies.ours"]
        return _timed(command, given=json.dumps({"pairs": list(pairs), "at_once": at_once}), from_output=True)


@dataclass(frozen=True, slots=True)
class Command:
    """An engine with one process per image. ``prefix`` is added to each reference; ``variable`` is the environment
    variable that names a configuration file."""

    name: str
    command: tuple[str, ...]
    prefix: str = ""
    variable: str = ""
    directory: Path = Path()
    concurrency: int = 0

    def copy(self, pairs: Pairs, *, at_once: int) -> Run:
        extra = {self.variable: str(self._config(pairs))} if self.variable else {}
        started = time.monotonic()
        with ThreadPoolExecutor(at_once) as pool:
            runs = list(pool.map(lambda pair: _timed(self._arguments(pair), extra=extra), pairs))
        failed = next((run.error for run in runs if run.seconds is None), "")
        seconds = None if failed else time.monotonic() - started
        return Run(seconds, 0.0, sum(run.cpu for run in runs), failed)

    def _arguments(self, pair: tuple[str, str]) -> list[str]:
        return [*self.command, *(self.prefix + reference for reference in pair)]

    def _config(self, pairs: Pairs) -> Path:
        """Write regctl's configuration file: plain HTTP, and the concurrency of each host. Return its path."""
        hosts = {urlsplit(f"//{reference}").netloc for pair in pairs for reference in pair}
        settings = {"tls": "disabled", **({"reqConcurrent": self.concurrency} if self.concurrency else {})}
        file = self.directory / f"regctl-{self.concurrency}.json"
        file.write_text(json.dumps({"hosts": {host: {**settings, "hostname": host} for host in hosts}}))
        return file


def engines(directory: Path) -> list[CopyEngine]:
    """Return our engine, and the peers with their defaults and with as many transfers as ours; the better setting
    counts."""
    build(PEERS)
    crane, regctl = (str(path_of(name, PEERS)) for name in ("crane", "regctl"))
    skopeo = ("skopeo", "copy", "--all", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false")
    return [
        Ours(),
        Command("skopeo", skopeo, prefix="docker://"),
        Command("crane", (crane, "copy", "--insecure")),
        Command("crane", (crane, "copy", "--insecure", f"--jobs={JOBS}")),
        Command("regctl", (regctl, "image", "copy"), variable="REGCTL_CONFIG", directory=directory),
        Command("regctl", (regctl, "image", "copy"), "", "REGCTL_CONFIG", directory, JOBS),
    ]


def _timed(
    command: list[str], *, given: str = "", from_output: bool = False, extra: Mapping[str, str] | None = None
) -> Run:
    """Run a command, with ``extra`` variables. ``from_output``: the command prints its own seconds and peak memory."""
    started = time.monotonic()
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **(extra or {})},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    timer = threading.Timer(PATIENCE, process.kill)
    timer.start()
    with process.stdin as stdin:
        stdin.write(given)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    timer.cancel()
    seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = usage.ru_utime + usage.ru_stime
    if process.returncode:
        return Run(None, 0.0, cpu, output.strip()[-300:])
    if from_output:
        measured, peak = map(float, output.split()[-2:])
        return Run(measured, peak, cpu)
    return Run(seconds, 0.0, cpu)
