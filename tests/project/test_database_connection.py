"""The check of a thread's database connection before work, on Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import dj_database_url
import psycopg
import pytest
from django.db import connection, connections
from django.db.utils import load_backend

from swapper_project.process.database_connection import close_unusable_connection
from tests.support.postgres import PostgresServer, require_postgres, running_server


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    require_postgres()
    with running_server() as server:
        yield server


@pytest.fixture
def thread(server: PostgresServer, db: None) -> Iterator[ThreadPoolExecutor]:
    """A thread whose default database is this server. Each thread has its own connections."""
    default = dj_database_url.parse(f"{server.url}/postgres", conn_max_age=60, conn_health_checks=True)
    settings = connections.configure_settings({"default": default})["default"]

    def use_server() -> None:
        connections["default"] = load_backend(settings["ENGINE"]).DatabaseWrapper(settings, "default")

    with ThreadPoolExecutor(1, initializer=use_server) as pool:
        yield pool
        pool.submit(connections.close_all).result()


def checked_pid() -> int:
    """Check the connection, and return the process ID of its server process."""
    close_unusable_connection()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    return int(pid)


def test_a_connection_that_the_server_has_closed_is_replaced_before_the_next_statement(
    thread: ThreadPoolExecutor, server: PostgresServer
) -> None:
    first = thread.submit(checked_pid).result()
    assert thread.submit(checked_pid).result() == first
    with psycopg.connect(f"{server.url}/postgres", autocommit=True) as admin:
        # Returns after the server process has ended, or false after 60 s.
        assert admin.execute("SELECT pg_terminate_backend(%s, 60000)", [first]).fetchone() == (True,)
    assert thread.submit(checked_pid).result() != first
