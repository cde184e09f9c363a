"""Queries whose SQL is compiled once: to build it costs Django many times the CPU of running it, and each job asks some
of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from django.db import connection
from django.db.models import Expression, QuerySet


class Argument(Expression):
    """The place in a query of a text or number that is given when it runs."""

    def __init__(self, position: int) -> None:
        super().__init__()
        self.position = position

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return "%s", [self]


def fixed_query(build: Callable[..., QuerySet[Any, Any]]) -> Callable[..., list[tuple[Any, ...]]]:
    """A function that returns the rows of a query as the database has them: texts and numbers, but no times or
    booleans. ``build`` gets an ``Argument`` for each argument of the function. What it returns selects values, and
    depends on nothing but the number of arguments and the kind of database."""

    @cache
    def compiled(vendor: str, count: int) -> tuple[str, tuple[Any, ...]]:
        return build(*map(Argument, range(count))).query.sql_with_params()

    def rows(*values: str | int) -> list[tuple[Any, ...]]:
        sql, parameters = compiled(connection.vendor, len(values))
        with connection.cursor() as cursor:
            cursor.execute(sql, [values[one.position] if isinstance(one, Argument) else one for one in parameters])
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

    return rows
