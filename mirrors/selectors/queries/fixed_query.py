"""Statements whose SQL is compiled once: to build it costs Django many times the CPU of running it, and each job needs
some of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, cast

from django.db import connection
from django.db.models import AutoField, Expression, Model, QuerySet
from django.db.models.sql import InsertQuery, UpdateQuery

Compiled = tuple[str, tuple[Any, ...]]


class Argument(Expression):
    """The place in a statement of a text or number that is given when it runs."""

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
    def compiled(vendor: str, count: int) -> Compiled:
        return build(*map(Argument, range(count))).query.sql_with_params()

    def rows(*values: str | int) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(*_filled(compiled(connection.vendor, len(values)), values))
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

    return rows


def fixed_update(build: Callable[..., tuple[QuerySet[Any, Any], dict[str, Any]]]) -> Callable[..., int]:
    """A function that updates rows and returns how many. ``build`` is as that of ``fixed_query``, and returns the rows
    and the new values of their columns. The function's arguments are as the database takes them."""

    @cache
    def compiled(vendor: str, count: int) -> Compiled:
        rows, values = build(*map(Argument, range(count)))
        query = cast(UpdateQuery, rows.query.chain(UpdateQuery))
        query.add_update_values(values)
        sql, parameters = query.get_compiler(connection=connection).as_sql()
        return sql, tuple(parameters)

    def update(*values: Any) -> int:
        with connection.cursor() as cursor:
            cursor.execute(*_filled(compiled(connection.vendor, len(values)), values))
            return int(cursor.rowcount)

    return update


def fixed_insert(build: Callable[..., Model]) -> Callable[..., None]:
    """A function that inserts the row that ``build`` makes of its arguments, with the defaults of its model."""

    @cache
    def compiled(vendor: str, count: int) -> Compiled:
        row = build(*map(Argument, range(count)))
        query = InsertQuery(type(row))
        query.insert_values([one for one in row._meta.local_fields if not isinstance(one, AutoField)], [row])
        ((sql, parameters),) = query.get_compiler(connection=connection).as_sql()
        return sql, tuple(parameters)

    def insert(*values: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(*_filled(compiled(connection.vendor, len(values)), values))

    return insert


def _filled(compiled: Compiled, values: Sequence[Any]) -> tuple[str, list[Any]]:
    sql, parameters = compiled
    return sql, [values[one.position] if isinstance(one, Argument) else one for one in parameters]
