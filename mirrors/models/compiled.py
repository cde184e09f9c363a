"""Statements whose SQL is compiled once for each of their forms: to build it costs Django several times the CPU of
running it, and each job runs a dozen of them.

The values of a statement are no part of its form, other than expressions such as ``Now()``. A ``timedelta`` given for a
time means so long from now, by the database's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import timedelta
from functools import cache, lru_cache
from typing import Any, Final, NamedTuple, cast

from django.db import connection
from django.db.models import DurationField, Expression, ExpressionWrapper, Field, Model, QuerySet
from django.db.models.constants import OnConflict
from django.db.models.functions import Now
from django.db.models.sql import InsertQuery, UpdateQuery

FORMS: Final = 64
"""Updates and inserts whose SQL is kept, a KiB each: there are about twenty."""

FROM_NOW: Final = "from now"
GIVEN: Final = "given"

Form = tuple[tuple[str, Any], ...]
"""Columns, and for each ``GIVEN``, ``FROM_NOW`` or its expression."""


class Slot(Expression):
    """Stands for a value that is given when the statement runs. ``field`` converts it for the database."""

    def __init__(self, key: object, field: Field[Any, Any] | None = None) -> None:
        super().__init__(output_field=field)
        self.key = key
        self.column = field

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return "%s", [self]

    def bind(self, values: Mapping[Any, Any]) -> Any:
        value = values[self.key]
        return value if self.column is None else self.column.get_db_prep_save(value, connection)


class _Statement(NamedTuple):
    sql: str
    params: tuple[Any, ...]

    def bound(self, values: Mapping[Any, Any]) -> list[Any]:
        return [param.bind(values) if isinstance(param, Slot) else param for param in self.params]


def fixed_query(build: Callable[..., QuerySet[Any, Any]]) -> Callable[..., list[tuple[Any, ...]]]:
    """A function that returns the rows of a query as the database has them: texts and numbers, but no times or
    booleans. ``build`` gets a slot for each argument and selects values."""

    @cache
    def compiled(vendor: str, count: int) -> _Statement:
        return _Statement(*build(*map(Slot, range(count))).query.sql_with_params())

    def rows(*values: Any) -> list[tuple[Any, ...]]:
        statement = compiled(connection.vendor, len(values))
        with connection.cursor() as cursor:
            cursor.execute(statement.sql, statement.bound(dict(enumerate(values))))
            found: list[tuple[Any, ...]] = cursor.fetchall()
        return found

    return rows


def update(model: type[Model], where: Mapping[str, Any], **fields: Any) -> int:
    """``model.objects.filter(**where).update(**fields)``: how many rows that changed. ``where`` are columns and values,
    none of them None."""
    form = _update(connection.vendor, model, _form(where.items()), _form(fields.items()))
    values = {("where", name): value for name, value in where.items()}
    return _run(form, fields | values)


def insert(
    model: type[Model],
    *,
    on_conflict: OnConflict | None = None,
    unique: str = "",
    renew: Collection[str] = (),
    **fields: Any,
) -> None:
    """Insert a row, whose key is not read back. Where there is one with the same value in the column ``unique``,
    ``OnConflict.UPDATE`` takes its columns ``renew``."""
    row = model(**fields)
    found = ((field.attname, field.pre_save(row, add=True)) for field in row._meta.concrete_fields)
    values = {name: value for name, value in found if name != "id" or value is not None}
    _run(_insert(connection.vendor, model, _form(values.items()), on_conflict, unique, tuple(renew)), values)


def _run(statement: _Statement, values: Mapping[Any, Any]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement.sql, statement.bound(values))
        return int(cursor.rowcount)


def _form(values: Iterable[tuple[str, Any]]) -> Form:
    return tuple((name, _kind(value)) for name, value in values)


def _kind(value: Any) -> Any:
    if isinstance(value, timedelta):
        return FROM_NOW
    return value if hasattr(value, "resolve_expression") else GIVEN


def _slot(model: type[Model], name: str, kind: Any, key: object) -> Any:
    field = _column(model, name)
    if kind == FROM_NOW:
        return ExpressionWrapper(Now() + Slot(key, DurationField()), output_field=field)
    return Slot(key, field) if kind == GIVEN else kind


def _column(model: type[Model], name: str) -> Field[Any, Any]:
    return cast("Field[Any, Any]", model._meta.get_field(name))


@lru_cache(maxsize=FORMS)
def _update(vendor: str, model: type[Model], where: Form, fields: Form) -> _Statement:
    rows = model._default_manager.filter(**{name: _slot(model, name, kind, ("where", name)) for name, kind in where})
    query = cast(UpdateQuery, rows.query.chain(UpdateQuery))
    query.add_update_values({name: _slot(model, name, kind, name) for name, kind in fields})
    return _Statement(*query.get_compiler(connection=connection).as_sql())


@lru_cache(maxsize=FORMS)
def _insert(
    vendor: str, model: type[Model], form: Form, on_conflict: OnConflict | None, unique: str, renew: tuple[str, ...]
) -> _Statement:
    query = InsertQuery(
        model,
        on_conflict=on_conflict,
        unique_fields=[_column(model, unique)] if unique else [],
        update_fields=[_column(model, name) for name in renew],
    )
    row = model(**{name: _slot(model, name, kind, name) for name, kind in form})
    query.insert_values([_column(model, name) for name, _ in form], [row])
    ((sql, params),) = query.get_compiler(connection=connection).as_sql()
    return _Statement(sql, tuple(params))
