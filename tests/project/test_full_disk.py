"""A full disk: one line reports the problem and what to do, and nothing is lost after space is freed.

RLIMIT_FSIZE simulates the full disk: the kernel refuses writes beyond that size of any file, for all users.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import ROOT, query
from tests.support.migrating import migrated_sqlite
from tests.support.ports import free_port
from tests.support.system import PRODUCT, run_manage, write_config

KEY = "0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ-%"
MIB = 1024 * 1024
WITHOUT_DATABASE = 20_000
"""Bytes: enough for the key and the certificate."""


class Installation:
    """A data directory with its SQLite database, and commands for it on a disk with or without space."""

    def __init__(self, directory: Path) -> None:
        self.data = directory / "data"
        self.database = self.data / "swapper.sqlite3"
        config = write_config(directory / "config.yaml", target="127.0.0.1:9")
        self.flags = ["--config", str(config), "--data-dir", str(self.data)]
        self.environment = {"SWAPPER_DATABASE_URL": "", "SWAPPER_SECRET_KEY": ""}

    def give_database(self) -> None:
        """Create a database as ``prepare`` does."""
        self.data.mkdir(mode=0o700)
        shutil.copy(migrated_sqlite(), self.database)

    def run(self, *command: str, limit: int | None = None) -> subprocess.CompletedProcess[str]:
        if limit is None:
            return run_manage(*command, *self.flags, environment=self.environment)
        process = self.start(*command, limit=limit)
        out, err = process.communicate(timeout=100)
        return subprocess.CompletedProcess(command, process.returncode, out, err)

    def start(self, *command: str, limit: int, **environment: str) -> subprocess.Popen[str]:
        program = "import resource, runpy, sys; limit = int(sys.argv.pop(1));"
        program += "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY));"
        program += "sys.argv[0] = 'manage.py'; runpy.run_path('manage.py', run_name='__main__')"
        return subprocess.Popen(
            [sys.executable, "-c", program, str(limit), *command, *self.flags],
            cwd=ROOT,
            env={**os.environ, **PRODUCT, **self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


def assert_one_line(ended: subprocess.CompletedProcess[str], place: Path) -> None:
    lines = [line for line in ended.stderr.splitlines() if line]
    assert ended.returncode not in (0, None)
    assert len(lines) == 1, ended.stderr
    assert "ree space" in lines[0] and str(place) in lines[0], ended.stderr


@pytest.mark.parametrize("limit", [0, 20_000, 200_000])
def test_prepare_reports_a_full_disk_and_succeeds_after_space_is_freed(installation: Installation, limit: int) -> None:
    password = installation.data / "admin-password"
    prepare = ("prepare", "--admin-password-file", str(password))

    assert_one_line(installation.run(*prepare, limit=limit), installation.data)

    installation.run(*prepare)
    assert password.read_text().strip()
    assert query(f"sqlite:///{installation.database}", "SELECT username FROM auth_user") == [("admin",)]


@pytest.mark.parametrize("limit", [0, 100, WITHOUT_DATABASE])
def test_up_reports_a_full_disk_and_starts_after_space_is_freed(installation: Installation, limit: int) -> None:
    """The limit is in bytes: without the key; with it, without its certificate; with both, without a database."""
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(3)]
    up = ["up", "--listen-address", addresses[0], "--web-address", addresses[1], "--metrics-address", addresses[2]]
    made = [installation.data / name for name in ("secret-key", "webhook.key", "webhook.crt")]
    if limit < WITHOUT_DATABASE:
        installation.give_database()  # It exits before it uses the database, and its next start is faster with one.

    assert_one_line(installation.run(*up, limit=limit), installation.data)

    kept = {path: path.read_bytes() for path in made if path.exists()}
    assert all(kept.values()), "a file was half written"
    process = installation.start(*up, limit=1024 * MIB)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("webhook "), "the start after it"
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert {path: path.read_bytes() for path in made if path in kept} == kept
    assert all(path.exists() for path in made)


@pytest.mark.parametrize("flags", [[], ["--queue"]], ids=["now", "queued"])
def test_mirror_reports_a_full_disk_and_keeps_the_queue_intact(installation: Installation, flags: list[str]) -> None:
    installation.give_database()
    (installation.data / "secret-key").write_text(KEY)
    installation.run("mirror", "--queue", "docker.io/library/before:1")

    assert_one_line(installation.run("mirror", *flags, "docker.io/library/app:1", limit=20_000), installation.data)

    installation.run("mirror", "--queue", "docker.io/library/after:1")
    jobs = query(f"sqlite:///{installation.database}", "SELECT status, attempts FROM mirrors_mirrorjob")
    assert jobs == [("pending", 0), ("pending", 0)]


def test_mirror_exits_with_an_error_if_the_disk_fills_during_a_copy(tmp_path: Path) -> None:
    """The source accepts the connection and is silent until the disk is full. After that, nothing can be recorded."""
    with socket.create_server(("127.0.0.1", 0)) as source:
        host = f"127.0.0.1:{source.getsockname()[1]}"
        installation = Installation(tmp_path)
        registries = [{"type": "oci", "host": host, "insecure": True}]
        write_config(tmp_path / "config.yaml", target="127.0.0.1:9", source={"registries": registries})
        installation.give_database()
        (installation.data / "secret-key").write_text(KEY)
        source.settimeout(60)
        mirror = installation.start("mirror", f"{host}/app:1", limit=1024 * MIB)
        try:
            connection, _ = source.accept()
            resource.prlimit(mirror.pid, resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
            connection.close()
            source.close()
            _, err = mirror.communicate(timeout=60)
        finally:
            mirror.kill()

    assert mirror.returncode == 1, err
    assert err.splitlines()[-1].startswith("CommandError: The database cannot be written"), err
    assert f"free space on the disk of {installation.data}" in err.splitlines()[-1]
    assert "Traceback" not in err
    jobs = query(f"sqlite:///{installation.database}", "SELECT status, attempts FROM mirrors_mirrorjob")
    assert jobs == [("running", 1)], "its lease runs out, and a worker takes it"


def test_a_worker_reports_a_full_disk_and_continues_after_space_is_freed(installation: Installation) -> None:
    installation.give_database()
    (installation.data / "secret-key").write_text(KEY)
    with filled(installation.database, 3 * MIB):
        port = {"SWAPPER_ROLE": "worker", "SWAPPER_BIND": f"127.0.0.1:{free_port()}"}
        worker = installation.start("worker", limit=2 * MIB, **port)
        try:
            lines = reading(worker)
            output = next(line for line in lines if "Jobs cannot be reconciled" in line)
            assert "free space on the disk" in output and str(installation.data) in output
            for pid in processes(worker.pid):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            seen = list(until(lines, "The worker is ready"))
            assert not [line for line in seen if "Traceback" in line]
        finally:
            worker.send_signal(signal.SIGTERM)
            worker.communicate(timeout=60)
    assert worker.returncode == 0


@contextlib.contextmanager
def filled(database: Path, size: int) -> Iterator[None]:
    """Fill the write-ahead log with ``size`` bytes, so that the next write is beyond that offset."""
    with contextlib.closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("CREATE TABLE filling (bytes BLOB)")
        connection.execute("BEGIN")
        connection.execute("INSERT INTO filling VALUES (zeroblob(?))", [size])
        connection.execute("COMMIT")
        reader = sqlite3.connect(database, isolation_level=None)
        with contextlib.closing(reader):
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM filling").fetchone()
            yield


def reading(process: subprocess.Popen[str]) -> Iterator[str]:
    """Return the lines of the process's log, which end with the process."""
    assert process.stderr is not None
    return iter(process.stderr.readline, "")


def until(lines: Iterator[str], wanted: str) -> Iterator[str]:
    for line in lines:
        yield line
        if wanted in line:
            return
    raise AssertionError(f"it ended without {wanted!r}")


def processes(pid: int) -> Iterator[int]:
    """Yield a process and its descendants."""
    yield pid
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from processes(int(child))
