"""Databases for processes that tests start: one migrated template per run, copied for each test."""

from __future__ import annotations

import os
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.support.migrating import ROOT as ROOT
from tests.support.migrating import migrate, migrated_sqlite
from tests.support.postgres import MIGRATED_DATABASE
from tests.support.shared_artifacts import create_once


@dataclass(frozen=True)
class DatabaseTemplate:
    """A migrated database: an SQLite file, or a Postgres database."""

    url: str

    @classmethod
    def migrated(cls) -> DatabaseTemplate:
        server = os.environ["SWAPPER_DATABASE_URL"]
        if server.startswith("sqlite"):
            return cls(f"sqlite:///{migrated_sqlite()}")
        if (MIGRATED_DATABASE,) in query(server, "SELECT datname FROM pg_database"):
            return cls(f"{server.rpartition('/')[0]}/{MIGRATED_DATABASE}")
        made = create_once("migrated-postgres", lambda directory: _migrated_postgres(server, directory))
        return cls((made / "url").read_text())

    @contextmanager
    def copy(self, directory: Path) -> Iterator[str]:
        """Yield the URL of a copy for one test, deleted afterwards."""
        if self.url.startswith("sqlite"):
            file = directory / "swapper.sqlite3"
            shutil.copy(self.url.removeprefix("sqlite:///"), file)
            yield f"sqlite:///{file}"
            return
        name = f"copy_{uuid.uuid4().hex[:12]}"
        url = _create_database(self.url, name, template=self.url.rpartition("/")[2])
        try:
            yield url
        finally:
            with psycopg.connect(os.environ["SWAPPER_DATABASE_URL"], autocommit=True) as connection:
                connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _migrated_postgres(server: str, directory: Path) -> None:
    url = _create_database(server, f"template_{uuid.uuid4().hex[:12]}")
    migrate(url)
    (directory / "url").write_text(url)


def _create_database(server: str, name: str, template: str = "template1") -> str:
    with psycopg.connect(os.environ["SWAPPER_DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return f"{server.rpartition('/')[0]}/{name}"


def name_of(url: str) -> str:
    """Return the name of a database as in Django's settings: a file, or a database of the server."""
    return url.removeprefix("sqlite:///") if url.startswith("sqlite") else url.rpartition("/")[2]


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query on a database that processes of a test use."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10)) as connection, connection:
            return connection.execute(sql).fetchall()
    with psycopg.connect(url, autocommit=True) as postgres:
        cursor = postgres.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []
