"""Indexes of large tables: migration operations that do not block writers, and indexes for search."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import structlog
from django.db import DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.operations import AddConstraint, AddField, AddIndex, RemoveConstraint, RemoveIndex
from django.db.models import UniqueConstraint

log = structlog.get_logger(__name__)

Indexes = dict[str, tuple[str, tuple[str, ...]]]

SEARCHED: Final[Indexes] = {
    "mapping_source_search": ("mirrors_imagemapping", ("source",)),
    "mapping_target_search": ("mirrors_imagemapping", ("target",)),
    "use_search": ("mirrors_imageuse", ("workload", "namespace")),
    "count_search": ("mirrors_decisioncount", ("namespace", "source_host")),
    "sample_search": ("mirrors_admissionsample", ("namespace", "pod_name", "workload")),
    "sample_image_search": ("mirrors_admissionsample", ("image_names",)),
    "running_search": ("mirrors_runningimage", ("source", "image", "namespace", "workload")),
    "backfill_search": ("mirrors_backfillimage", ("source",)),
}
"""The Postgres indexes for searches by a part of a word: table and columns by name."""

SQLITE_SEARCHED: Final[Indexes] = {
    "sample_search": ("mirrors_admissionsample", ("namespace", "pod_name", "workload", "image_names")),
}
"""The same for SQLite, which scans the whole index in such a search: its rows are much smaller than the table's."""

_LOCK: Final = 7_205_514_009
"""The number of our advisory lock in Postgres: any number that no other program uses."""

_MISSING: Final = (
    "Search is slow on large tables: this database has no pg_trgm. Have a superuser run "
    '"CREATE EXTENSION pg_trgm" in it (its package is postgresql-contrib), then run manage.py prepare'
)


class AddIndexWithoutLock(AddIndex):
    """Add an index without blocking writers, on Postgres. Only for migrations that are not atomic.

    The index of a migration that was interrupted is built again, because it might be invalid.
    """

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            schema_editor.execute(f"DROP INDEX IF EXISTS {self.index.name}")
            return super().database_forwards(app_label, schema_editor, from_state, to_state)
        with _without_timeouts(schema_editor.connection):
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {self.index.name}")
            schema_editor.add_index(to_state.apps.get_model(app_label, self.model_name), self.index, concurrently=True)


class RemoveIndexWithoutLock(RemoveIndex):
    """Remove an index without blocking writers, on Postgres. Only for migrations that are not atomic."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            schema_editor.execute(f"DROP INDEX IF EXISTS {self.name}")
            return
        index = from_state.models[app_label, self.model_name_lower].get_index_by_name(self.name)
        model = from_state.apps.get_model(app_label, self.model_name)
        schema_editor.remove_index(model, index, concurrently=True)


class AddFieldOnce(AddField):
    """Add a field, unless a migration that was interrupted has added its column. For migrations that are not atomic."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        table = from_state.apps.get_model(app_label, self.model_name)._meta.db_table
        connection = schema_editor.connection
        with connection.cursor() as cursor:
            columns = {column.name for column in connection.introspection.get_table_description(cursor, table)}
        if self.name not in columns:
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class AddUniqueWithoutLock(AddConstraint):
    """Add a unique constraint on fields without blocking writers, on Postgres: build its index concurrently, then add
    the constraint with that index, which takes only a moment. Only for migrations that are not atomic."""

    constraint: UniqueConstraint
    model_name: str

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        if schema_editor.connection.vendor != "postgresql":
            return super().database_forwards(app_label, schema_editor, from_state, to_state)
        meta = to_state.apps.get_model(app_label, self.model_name)._meta
        columns = ", ".join(meta.get_field(name).column for name in self.constraint.fields)
        name, table = self.constraint.name, meta.db_table
        if name in _constraints(schema_editor.connection, table):
            return
        with _without_timeouts(schema_editor.connection):
            # An interrupted build leaves an invalid index.
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            schema_editor.execute(f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} ({columns})")
        schema_editor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} UNIQUE USING INDEX {name}")


class RemoveConstraintOnce(RemoveConstraint):
    """Remove a constraint, unless a migration that was interrupted has removed it. For migrations that are not
    atomic."""

    model_name: str
    name: str

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        table = from_state.apps.get_model(app_label, self.model_name)._meta.db_table
        connection = schema_editor.connection
        # SQLite rebuilds the table, which can be repeated.
        if connection.vendor != "postgresql" or self.name in _constraints(connection, table):
            super().database_forwards(app_label, schema_editor, from_state, to_state)


def _constraints(connection: BaseDatabaseWrapper, table: str) -> set[str]:
    """Return the names of the constraints of a table on Postgres, without indexes of no constraint."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT conname FROM pg_constraint WHERE conrelid = %s::regclass", [table])
        return {name for (name,) in cursor.fetchall()}


def ensure_search(connection: BaseDatabaseWrapper) -> None:
    """Create the missing indexes for search. If pg_trgm cannot be created on Postgres, log a warning and create none.

    On SQLite, whose databases are small, few are needed. This can be called repeatedly, and concurrently.
    """
    if connection.vendor == "sqlite":
        return _build_on_sqlite(connection)
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        # Do not wait for the lock: a waiting statement would block the concurrent build in the process that has it.
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [_LOCK])
        if not cursor.fetchone()[0]:
            return
        try:
            if _has_trigrams(cursor):
                with _without_timeouts(connection):
                    _build(connection, cursor)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])


def _has_trigrams(cursor: Any) -> bool:
    cursor.execute("SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm'")
    if cursor.fetchone():
        return True
    try:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    except DatabaseError as error:
        log.warning(_MISSING, error=str(error).strip())
        return False
    return True


def _possible_indexes(connection: BaseDatabaseWrapper, cursor: Any, indexes: Indexes) -> Indexes:
    """Return the indexes whose columns exist: early migrations run before later ones add tables and columns."""
    tables = {table for table, _ in indexes.values()}
    columns = {
        table: {column.name for column in connection.introspection.get_table_description(cursor, table)}
        for table in tables.intersection(connection.introspection.table_names(cursor))
    }
    return {
        name: (table, names) for name, (table, names) in indexes.items() if columns.get(table, set()).issuperset(names)
    }


def _build_on_sqlite(connection: BaseDatabaseWrapper) -> None:
    with connection.cursor() as cursor:
        for name, (table, columns) in _possible_indexes(connection, cursor, SQLITE_SEARCHED).items():
            cursor.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {table} ({', '.join(columns)})")


def _build(connection: BaseDatabaseWrapper, cursor: Any) -> None:
    # An interrupted build leaves an invalid index of the same name, which must be dropped first.
    names = list(SEARCHED)
    valid = "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    cursor.execute(f"{valid} WHERE c.relname = ANY(%s)", [names])  # noqa: S608
    validity = dict(cursor.fetchall())
    for name, (table, columns) in _possible_indexes(connection, cursor, SEARCHED).items():
        if validity.get(name):
            continue
        if name in validity:
            cursor.execute(f"DROP INDEX CONCURRENTLY {name}")
        parts = ", ".join(f"upper({column}) gin_trgm_ops" for column in columns)
        cursor.execute(f"CREATE INDEX CONCURRENTLY {name} ON {table} USING gin ({parts})")


@contextmanager
def _without_timeouts(connection: BaseDatabaseWrapper) -> Iterator[None]:
    """Disable the timeouts of statements and locks inside the block: building an index of millions of rows takes long,
    and it waits for all running transactions."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        statement = cursor.fetchone()[0]
        cursor.execute("SHOW lock_timeout")
        lock = cursor.fetchone()[0]
        cursor.execute("SET statement_timeout = 0; SET lock_timeout = 0")
        try:
            yield
        finally:
            for name, previous in (("statement_timeout", statement), ("lock_timeout", lock)):
                cursor.execute("SELECT set_config(%s, %s, false)", [name, previous])
