"""A real Postgres server for a test run, with its own directory and port, deleted with the run."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.support.migrating import migrate
from tests.support.ports import free_port
from tests.support.shared_artifacts import create_once

OPTIONS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=200")


MIGRATED = "migrated-server"
MIGRATED_USER = "swapper"
"""The owner of the tables in the migrated server."""

MIGRATED_DATABASE = "swapper_tests_migrated"
"""The name of a second migrated database in that server. No client connects to it, so it can be copied at any time."""


class MissingToolError(RuntimeError):
    """Raised when a program that a suite needs is not installed."""


def postgres_bin() -> Path:
    """Return the directory of initdb and postgres. Raise MissingToolError if Postgres is not installed."""
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    if on_path:
        candidates.append(Path(on_path).resolve().parent)
    for candidate in candidates:
        if (candidate / "initdb").exists():
            return candidate
    raise MissingToolError("Postgres is not installed: apt-get install postgresql")


def require_postgres() -> None:
    """Skip the test with a message if Postgres is not installed, or fail it in CI."""
    try:
        postgres_bin()
    except MissingToolError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))


@contextmanager
def running_server(*, is_migrated: bool = False) -> Iterator[PostgresServer]:
    """Start a separate server, deleted afterwards. With ``is_migrated``, its database ``postgres`` has our tables."""
    directory = Path(tempfile.mkdtemp(prefix="swapper-postgres-"))
    server = PostgresServer(directory, free_port())
    try:
        if is_migrated:
            server.copy_data(_migrated_server())
        else:
            server.initialise()
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)


def copy_migrated(place: Path) -> None:
    """Copy the files of a stopped server whose database ``postgres`` has our tables to ``place / "data"``."""
    _copy(_migrated_server() / "data", place / "data")


def _migrated_server() -> Path:
    return create_once(MIGRATED, _migrated_data, by_all_suites=True)


def _migrated_data(place: Path) -> None:
    """Copy the files of a stopped server that has our tables in its database ``postgres`` to ``place``."""
    with running_server() as server:
        migrate(f"{server.url}/postgres")
        with psycopg.connect(f"{server.url}/template1", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {MIGRATED_DATABASE} TEMPLATE postgres".encode())
        server.stop("fast")
        server.keep_data(place)


class PostgresServer:
    """One server that a test can stop and start again."""

    def __init__(self, directory: Path, port: int) -> None:
        self._bin = postgres_bin()
        self._data = directory / "data"
        self._directory = directory
        self.port = port
        self.url = f"postgres://{MIGRATED_USER}@127.0.0.1:{port}"
        # Postgres refuses to run as root.
        self._user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []

    def _prepare_directory(self) -> None:
        if self._user:
            shutil.chown(self._directory, "postgres")
        self._directory.chmod(0o700)

    def initialise(self) -> None:
        self._prepare_directory()
        self._call("initdb", "-D", str(self._data), "-U", MIGRATED_USER, "-A", "trust", "--no-sync")

    def keep_data(self, place: Path) -> None:
        """Copy the files of a stopped server, for ``copy_data``."""
        _copy(self._data, place / "data")

    def copy_data(self, place: Path) -> None:
        """Start with the files of another server."""
        self._prepare_directory()
        _copy(place / "data", self._data)

    def start(self) -> None:
        options = [f"-c {option}" for option in (*OPTIONS, f"port={self.port}", "listen_addresses=127.0.0.1")]
        options.append(f"-c unix_socket_directories={self._directory}")
        log = self._directory / "log"
        self._call("pg_ctl", "-D", str(self._data), "-w", "-l", str(log), "-o", " ".join(options), "start")

    def stop(self, mode: str = "immediate") -> None:
        if (self._data / "postmaster.pid").exists():
            self._call("pg_ctl", "-D", str(self._data), "-w", "-m", mode, "stop")

    @property
    def pid(self) -> int:
        """The process ID of the server's first process, the parent of all others. The server must be running."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._user, str(self._bin / program), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._directory,
        )


def _copy(files: Path, place: Path) -> None:
    """Copy files with their owner, because Postgres requires the right owner."""
    subprocess.run(["cp", "-a", str(files), str(place)], check=True)
