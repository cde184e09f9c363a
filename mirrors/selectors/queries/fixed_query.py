"""Statements whose SQL is compiled once. Each job runs several of them, and Django needs many times more CPU to build
the SQL than to run it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, Final, cast

from django.db import connection
from django.db.models import AutoField, Expression, Field, Model, QuerySet
from django.db.models.constants import OnConflict
from django.db.models.sql import InsertQuery, UpdateQuery

Compiled = tuple[str, tuple[Any, ...]]

MOST_COMPILED_UPDATES: Final = 64
"""The most updates of ``update_rows`` whose SQL is cached. A worker has about ten, plus one for each delay of a
retry."""


class Argument(Expression):
    """A placeholder in a statement for a text or number that is passed when the statement runs."""

    def __init__(self, position: int) -> None:
        super().__init__()
        self.position = position

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return "%s", [self]


def fixed_query(build: Callable[..., QuerySet[Any, Any]]) -> Callable[..., list[tuple[Any, ...]]]:
    """Return a function that runs a query and returns its rows as the database driver returns them: texts and numbers,
    but not times or booleans. ``build`` is called with an ``Argument`` for each argument of the function. Its query
    must select values, and depend only on the number of arguments and the kind of database."""

    @cache
    def compiled(vendor: str, count: int) -> Compiled:
        return build(*map(Argument, range(count))).query.sql_with_params()

    def rows(*values: str | int) -> list[tuple[Any, ...]]:
        with connection.cursor() as cursor:
            cursor.execute(*_filled(compiled(connection.vendor, len(values)), values))
            result: list[tuple[Any, ...]] = cursor.fetchall()
        return result

    return rows


def fixed_update(build: Callable[..., tuple[QuerySet[Any, Any], dict[str, Any]]]) -> Callable[..., int]:
    """Return a function that updates rows and returns their number. ``build`` is called as in ``fixed_query``, and
    returns the rows and the new values of their columns. The function's arguments are values as the database stores
    them."""

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


def update_rows(model: type[Model], where: Mapping[str, Any], values: Mapping[str, Any]) -> int:
    """Update the rows whose columns have the values of ``where``, and return their number. ``values`` are Python values
    or expressions. The SQL is compiled once for each combination of columns and expressions."""
    plain = {name: value for name, value in values.items() if not hasattr(value, "resolve_expression")}
    computed = tuple((name, value) for name, value in values.items() if name not in plain)
    update = _update_of(model, tuple(where), tuple(plain), computed)
    return update(*(as_stored(model, name, value) for name, value in (*where.items(), *plain.items())))


@lru_cache(maxsize=MOST_COMPILED_UPDATES)
def _update_of(
    model: type[Model], where: tuple[str, ...], plain: tuple[str, ...], computed: tuple[tuple[str, Any], ...]
) -> Callable[..., int]:
    @fixed_update
    def update(*arguments: Argument) -> tuple[QuerySet[Any, Any], dict[str, Any]]:
        rows = model._base_manager.filter(**dict(zip(where, arguments, strict=False)))
        return rows, {**dict(zip(plain, arguments[len(where) :], strict=True)), **dict(computed)}

    return update


def as_stored(model: type[Model], name: str, value: Any) -> Any:
    """Convert a value of a column to the form in which the database stores it."""
    return cast("Field[Any, Any]", model._meta.get_field(name)).get_db_prep_save(value, connection)


def fixed_insert(
    build: Callable[..., Model], *, unique: Sequence[str] = (), updated: Sequence[str] = ()
) -> Callable[..., None]:
    """Return a function that inserts the row that ``build`` creates from the arguments, with the defaults of its model.
    If a row with the same ``unique`` columns exists, its ``updated`` columns are set to those of the new row; without
    ``updated``, it stays unchanged."""
    conflict = (OnConflict.UPDATE if updated else OnConflict.IGNORE) if unique else None

    @cache
    def compiled(vendor: str, count: int) -> Compiled:
        row = build(*map(Argument, range(count)))
        field = row._meta.get_field
        query = InsertQuery(
            type(row),
            on_conflict=conflict,
            unique_fields=[field(name) for name in unique],
            update_fields=[field(name) for name in updated],
        )
        query.insert_values([column for column in row._meta.local_fields if not isinstance(column, AutoField)], [row])
        ((sql, parameters),) = query.get_compiler(connection=connection).as_sql()
        return sql, tuple(parameters)

    def insert(*values: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(*_filled(compiled(connection.vendor, len(values)), values))

    return insert


def _filled(compiled: Compiled, values: Sequence[Any]) -> tuple[str, list[Any]]:
    sql, parameters = compiled
    return sql, [
        values[parameter.position] if isinstance(parameter, Argument) else parameter for parameter in parameters
    ]
