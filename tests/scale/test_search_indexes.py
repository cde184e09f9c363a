"""The indexes for search: a database whose role is not allowed to create pg_trgm works without them, and gets them
later."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from django.db import connection
from structlog.testing import capture_logs

from mirrors.models.base.indexes import SEARCHED, ensure_search

pytestmark = pytest.mark.django_db(transaction=True)

ROLE = f"nobody_special_{os.getpid()}"
"""Roles belong to a server, on which other processes also run tests."""


def query(sql: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return [row[0] for row in cursor.fetchall()] if cursor.description else []


def found() -> set[str]:
    names = query("SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indisvalid")
    return set(names) & set(SEARCHED)


@pytest.fixture
def without_trigrams() -> Iterator[None]:
    query("DROP EXTENSION IF EXISTS pg_trgm CASCADE")
    query(f"CREATE ROLE {ROLE}")
    try:
        yield
    finally:
        query("RESET ROLE")
        query(f"DROP ROLE {ROLE}")
        ensure_search(connection)


def test_missing_extension_permission_is_logged_and_indexes_are_added_later(without_trigrams: None) -> None:
    query(f"SET ROLE {ROLE}")
    with capture_logs() as lines:
        ensure_search(connection)
    assert "CREATE EXTENSION pg_trgm" in lines[0]["event"] and "manage.py prepare" in lines[0]["event"]
    assert found() == set()
    query("RESET ROLE")
    ensure_search(connection)
    assert found() == set(SEARCHED)


def test_an_invalid_index_is_rebuilt(without_trigrams: None) -> None:
    ensure_search(connection)
    query("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'mapping_target_search'::regclass")
    assert "mapping_target_search" not in found()
    ensure_search(connection)
    assert found() == set(SEARCHED)
