"""A real Postgres for a test run: its own directory and port, deleted with the run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.ports import free_port

OPTIONS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=200")


class MissingToolError(RuntimeError):
    """A program that a suite needs is not on this machine."""


def postgres_bin() -> Path:
    """Directory of initdb and postgres; raises MissingToolError."""
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        candidates.append(Path(on_path).resolve().parent)
    for candidate in candidates:
        if (candidate / "initdb").exists():
            return candidate
    raise MissingToolError("Postgres is not installed: apt-get install postgresql")


def require_postgres() -> None:
    """Skips in plain sight without Postgres, which CI must have."""
    try:
        postgres_bin()
    except MissingToolError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """A server of its own, deleted afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="swapper-postgres-"))
    server = PostgresServer(directory, free_port())
    try:
        server.initialise()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


class PostgresServer:
    """One server that a test may stop and start again."""

    def __init__(self, directory: Path, port: int) -> None:
        self._bin = postgres_bin()
        self._data = directory / "data"
        self._directory = directory
        self.port = port
        self.url = f"postgres://swapper@127.0.0.1:{port}"
        # Postgres refuses to run as root.
        self._user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []

    def initialise(self) -> None:
        if self._user:
            shutil.chown(self._directory, "postgres")
        self._directory.chmod(0o700)
        self._call("initdb", "-D", str(self._data), "-U", "swapper", "-A", "trust", "--no-sync")

    def start(self) -> None:
        options = [f"-c {option}" for option in (*OPTIONS, f"port={self.port}", "listen_addresses=127.0.0.1")]
        options.append(f"-c unix_socket_directories={self._directory}")
        log = self._directory / "log"
        self._call("pg_ctl", "-D", str(self._data), "-w", "-l", str(log), "-o", " ".join(options), "start")

    def stop(self) -> None:
        if (self._data / "postmaster.pid").exists():
            self._call("pg_ctl", "-D", str(self._data), "-w", "-m", "immediate", "stop")

    @property
    def pid(self) -> int:
        """Of the server's first process, the parent of all others. It must be running."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._user, str(self._bin / program), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._directory,
        )
