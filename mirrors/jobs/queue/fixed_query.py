"""Queries that are the same each time. Their SQL is compiled once: to build it costs Django many times the CPU of
running it, and each claim asks two of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import QuerySet

Rows = Callable[[], list[tuple[Any, ...]]]


def fixed_query(build: Callable[[], QuerySet[Any, Any]]) -> Rows:
    """A function that returns the rows of a query as the database has them: texts and numbers, but no times or
    booleans. What ``build`` returns selects values, and depends on nothing but the kind of database."""

    @cache
    def compiled(vendor: str) -> tuple[str, tuple[Any, ...]]:
        return build().query.sql_with_params()

    def rows() -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(*compiled(connection.vendor))
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

    return rows
