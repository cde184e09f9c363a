"""The previous release runs on the new schema during an upgrade of a cluster. Its inserts do not name new columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.db import migrations
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.operations.base import Operation
from django.db.models import NOT_PROVIDED, CharField, Field

OURS = {"mirrors", "accounts"}


def added_columns(operations: Sequence[Operation]) -> Iterator[tuple[str, Field[Any, Any]]]:
    """Yield columns that are added to existing tables, with their names."""
    created = {operation.name_lower for operation in operations if isinstance(operation, migrations.CreateModel)}
    for operation in operations:
        if isinstance(operation, migrations.AddField) and operation.model_name_lower not in created:
            yield f"{operation.model_name}.{operation.name}", operation.field


def is_filled(field: Field[Any, Any]) -> bool:
    """Return whether the database provides a value for a row that does not name the column."""
    return field.null or field.db_default is not NOT_PROVIDED or bool(field.many_to_many)


@pytest.mark.parametrize("key", sorted(key for key in MigrationLoader(None).disk_migrations if key[0] in OURS))
def test_each_new_column_is_nullable_or_has_a_database_default(key: tuple[str, str]) -> None:
    operations = MigrationLoader(None).disk_migrations[key].operations

    assert [name for name, field in added_columns(operations) if not is_filled(field)] == []


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (CharField(), False),
        (CharField(default=""), False),
        (CharField(null=True), True),
        (CharField(db_default=""), True),
    ],
)
def test_a_python_default_is_not_a_database_default(field: Field[Any, Any], expected: bool) -> None:
    assert is_filled(field) is expected
