"""A real Postgres for a test run: its own directory and port, deleted with the run."""

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

from tests.support.made_once import made_once
from tests.support.migrating import migrate
from tests.support.ports import free_port

OPTIONS = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=200")


MIGRATED = "migrated-server"
MIGRATED_USER = "swapper"
"""Who owns the tables there."""

MIGRATED_DATABASE = "swapper_tests_migrated"
"""A second database with our tables there, that nobody connects to: so others may be copied from it at any time."""


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
def running_server(*, is_migrated: bool = False) -> Iterator[PostgresServer]:
    """A server of its own, deleted afterwards; with ``is_migrated`` its database ``postgres`` has our tables."""
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
    """Files of a stopped server whose database ``postgres`` has our tables, below ``place / "data"``."""
    _copy(_migrated_server() / "data", place / "data")


def _migrated_server() -> Path:
    return made_once(MIGRATED, _migrated_data, by_all_suites=True)


def _migrated_data(place: Path) -> None:
    """The files of a server that has stopped, with our tables in its database ``postgres``."""
    with running_server() as server:
        migrate(f"{server.url}/postgres")
        with psycopg.connect(f"{server.url}/template1", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {MIGRATED_DATABASE} TEMPLATE postgres".encode())
        server.stop("fast")
        server.keep_data(place)


class PostgresServer:
    """One server that a test may stop and start again."""

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
        """Begin with the files of another server."""
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
        """Of the server's first process, the parent of all others. It must be running."""
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def _call(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [*self._user, str(self._bin / program), *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self._directory,
        )


def _copy(files: Path, place: Path) -> None:
    """With their owner, whom Postgres demands."""
    subprocess.run(["cp", "-a", str(files), str(place)], check=True)
