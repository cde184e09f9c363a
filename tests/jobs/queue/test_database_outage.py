"""The database is unavailable for a while: the worker and its copies survive, and the results are recorded later."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from mirrors.jobs.queue.liveness import HEARTBEAT_FILE
from tests.jobs.processes import worker
from tests.jobs.support import config_file, load
from tests.support.faulty_registry import FaultyRegistry, held
from tests.support.ports import free_port, wait_until
from tests.support.postgres import MissingToolError, PostgresServer
from tests.support.system import run_manage

MOST_PROCESSES = 6
"""The most processes of a worker that use the database. Each logs once that it does not respond."""

BLOB = "GET .*/blobs/"


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A Postgres server, with our tables, that only this test uses."""
    directory = Path(tempfile.mkdtemp(prefix="swapper-postgres-"))
    try:
        running = PostgresServer(directory, free_port())
    except MissingToolError as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))
    try:
        running.initialise()
        running.start()
        run_manage("migrate", "--verbosity", "0", environment={"SWAPPER_DATABASE_URL": f"{running.url}/postgres"})
        yield running
    finally:
        running.stop()
        shutil.rmtree(directory, ignore_errors=True)


def value(server: PostgresServer, query: str) -> object:
    with psycopg.connect(f"{server.url}/postgres", autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    return row[0] if row else None


def execute(server: PostgresServer, statement: str) -> None:
    with psycopg.connect(f"{server.url}/postgres", autocommit=True) as connection:
        connection.execute(statement)


def test_a_running_copy_survives_a_database_outage(
    server: PostgresServer, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    image_bytes = load(source).blob_bytes
    release = threading.Event()
    source.on(BLOB, held(release), times=3)
    config = config_file(tmp_path, source, target)
    url = {"SWAPPER_DATABASE_URL": f"{server.url}/postgres"}
    with worker(config, tmp_path / "worker", **url) as running:
        image = f"{source.host}/app:1.0"
        run_manage("mirror", "--queue", image, "--config", str(config), environment=url)
        wait_until(lambda: source.count(BLOB) == 3, what="the copy")
        # The tests' server does not sync its writes. Without a checkpoint, it would lose the claim.
        execute(server, "CHECKPOINT")
        server.stop()
        release.set()
        wait_until(lambda: target.count("PUT .*/manifests/1.0"), what="the copy's end without a database")
        _sees_signs_of_life(tmp_path / "worker" / HEARTBEAT_FILE)
        assert running.popen is not None and running.popen.poll() is None
        server.start()
        wait_until(
            lambda: value(server, "SELECT status FROM mirrors_mirrorjob") == "succeeded",
            what=f"a copy that is written down (log: {running.log})",
        )
        output = running.log.read_text()
    assert "Traceback" not in output and '"level":"error"' not in output, output
    assert 1 <= output.count("The database does not respond") <= MOST_PROCESSES, output
    assert "cannot be" not in output and "The database responds again" in output, output
    assert value(server, "SELECT count(*) FROM mirrors_mirrorattempt") == 1
    assert value(server, "SELECT bytes_copied FROM mirrors_mirrorattempt") == image_bytes, "copied again"
    assert target.count("PUT .*/manifests/1.0") == 1


def _sees_signs_of_life(sign: Path) -> None:
    signs: set[int] = set()

    def more() -> bool:
        signs.add(sign.stat().st_mtime_ns)
        return len(signs) > 10

    wait_until(more, what="signs of life without a database")
