"""Runs the image as Pod Security "restricted" requires: any user, no capability, a read-only root file system."""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import urllib3

from tests.image.builder import Image
from tests.support.ports import wait_until
from tests.support.processes import end
from tests.support.system import POOL

USER: Final = 1_000_650_000
"""A user as OpenShift assigns it: not in /etc/passwd, with group 0."""

# buildah's own `run` writes to the root file system before it starts, so the root file system cannot be read-only.
SCRIPT: Final = """
mount --bind "$ROOT" "$ROOT"
mount -o remount,ro,bind "$ROOT"
mount --rbind /dev "$ROOT/dev"
mount --bind /proc "$ROOT/proc"
mount --bind "$DATA" "$ROOT/data"
mount --bind "$TMP" "$ROOT/tmp"
exec chroot "$ROOT" setpriv --reuid="$USER_ID" --regid=0 --clear-groups --no-new-privs --bounding-set=-all \\
    --inh-caps=-all env -i -C "$WORKDIR" """


@dataclass(frozen=True, slots=True)
class Start:
    """The time that a container needed until it was ready."""

    seconds: float
    processor_seconds: float


@dataclass
class Container:
    """A container of the image with two writable directories."""

    image: Image
    directory: Path
    user: int = USER
    environment: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("data", "tmp"):
            place = self.directory / name
            place.mkdir(parents=True, exist_ok=True)
            # The owner and mode of an emptyDir with `fsGroup`.
            os.chown(place, 0, 0)
            place.chmod(0o2770)

    def command(self, *arguments: str) -> list[str]:
        """Return the command that runs the image's entrypoint with these arguments in a separate mount namespace."""
        return self.shell(*self.image.config["Entrypoint"], *arguments)

    def shell(self, *command: str) -> list[str]:
        given = [f"{name}={value}" for name, value in self.environment.items()]
        rest = shlex.join([*self.image.config["Env"], *given, *command])
        return ["unshare", "--mount", "--propagation", "private", "sh", "-euc", SCRIPT + rest]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run(self.command(*arguments))

    def run_command(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command instead of the image's entrypoint."""
        return self._run(self.shell(*command))

    def run_shell(self, script: str) -> subprocess.CompletedProcess[str]:
        return self._run(self.shell("sh", "-c", script))

    @contextmanager
    def running(self, *arguments: str, url: str) -> Iterator[Start]:
        """Run the container, and yield when ``url`` responds with 200."""
        log = self.directory / "log"
        with log.open("ab") as file:
            started = time.monotonic()
            process = subprocess.Popen(
                self.command(*arguments), env=self._places(), stdout=file, stderr=file, start_new_session=True
            )
        try:
            wait_until(lambda: _answers(url, process, log), what=url)
            yield Start(time.monotonic() - started, _processor_seconds(process.pid))
        finally:
            POOL.clear()
            end(process, patience=40)

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=self._places(), capture_output=True, text=True, timeout=60, check=False)

    def _places(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"] + ":/usr/sbin",
            "ROOT": str(self.image.root),
            "DATA": str(self.directory / "data"),
            "TMP": str(self.directory / "tmp"),
            "USER_ID": str(self.user),
            "WORKDIR": self.image.config["WorkingDir"],
        }


def _processor_seconds(session: int) -> float:
    """Return the CPU seconds of all processes of a session so far."""
    ticks = 0
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = file.read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def _answers(url: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()[-3000:]
    try:
        return POOL.request("GET", url, headers={"Host": "localhost"}, retries=False, timeout=5).status == 200
    except urllib3.exceptions.HTTPError:
        return False
