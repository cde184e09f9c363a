"""A faster ``flush``, the command that empties the database after each Django test that commits.

Django's own command truncates all tables, which makes Postgres write a new file for each table and index, and then
writes content types, permissions and roles again. This command deletes rows, and keeps content types, permissions and
roles unless they were changed.
"""

from __future__ import annotations

from typing import Any

from django.core.management.commands import flush
from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

MADE_BY_MIGRATE = ("django_content_type", "auth_permission", "auth_group", "auth_group_permissions")
"""The tables whose rows follow from the code, in the order of their references."""

Rows = list[tuple[Any, ...]]

_made: dict[str, list[Rows]] = {}
"""The rows of these tables as ``migrate`` creates them, by name of the database."""


class Command(flush.Command):
    """Run Django's own command the first time, and whenever rows that ``migrate`` creates were changed."""

    def handle(self, **options: Any) -> None:
        connection = connections[options["database"]]
        name = str(connection.settings_dict["NAME"])
        if _made.get(name) != _rows(connection):
            super().handle(**options)
            _made[name] = _rows(connection)
            return
        _delete(connection)


def _rows(connection: BaseDatabaseWrapper) -> list[Rows]:
    with connection.cursor() as cursor:
        found = []
        for table in MADE_BY_MIGRATE:
            cursor.execute(f"SELECT * FROM {table} ORDER BY id")  # noqa: S608
            found.append(cursor.fetchall())
        return found


def _delete(connection: BaseDatabaseWrapper) -> None:
    """Delete rows in one transaction: references are checked at its end, so the tables can be in any order."""
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        for table in tables:
            if table not in MADE_BY_MIGRATE:
                cursor.execute(f'DELETE FROM "{table}"')  # noqa: S608
