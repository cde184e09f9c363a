"""Databases for processes that tests start: one migrated template a run, copied for each test."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class DatabaseTemplate:
    """A migrated database: an SQLite file, or a Postgres database."""

    url: str

    @classmethod
    def migrated(cls, directory: Path) -> DatabaseTemplate:
        server = os.environ["SWAPPER_DATABASE_URL"]
        if server.startswith("sqlite"):
            url = f"sqlite:///{directory}/template.sqlite3"
        else:
            url = _create_database(server, f"template_{uuid.uuid4().hex[:12]}")
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=ROOT,
            env={**os.environ, "SWAPPER_DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "swapper_project.settings"},
            check=True,
        )
        return cls(url)

    @contextmanager
    def copy(self, directory: Path) -> Iterator[str]:
        """A copy for one test, deleted afterwards."""
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


def _create_database(server: str, name: str, template: str = "template1") -> str:
    with psycopg.connect(os.environ["SWAPPER_DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return f"{server.rpartition('/')[0]}/{name}"


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    """Rows of a query on a database that processes of a test use."""
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), timeout=10)) as connection, connection:
            return connection.execute(sql).fetchall()
    with psycopg.connect(url, autocommit=True) as postgres:
        cursor = postgres.execute(sql.encode())
        return cursor.fetchall() if cursor.description else []
