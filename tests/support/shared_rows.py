"""Rows that the tests of a class share, written once for the class instead of once for each test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from pytest_django import DjangoDbBlocker


@contextmanager
def rows_of_class(blocker: DjangoDbBlocker) -> Iterator[None]:
    """Wrap a fixture of a class, like ``setUpTestData`` of Django's test classes. Rows written in the block are in a
    transaction around the transactions of the tests: changes of a test are rolled back after it, and these rows after
    the last test."""
    around = transaction.atomic()
    # Django's mark of a test's transaction. Without it, a transaction of the product that must be the outermost would
    # be refused.
    around._from_testcase = True  # type: ignore[attr-defined]
    with blocker.unblock(), around:
        yield
        transaction.set_rollback(True)
