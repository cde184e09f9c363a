"""Rows that the tests of a class share: written once for all of them, where each would write the same ones itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from pytest_django import DjangoDbBlocker


@contextmanager
def rows_of_class(blocker: DjangoDbBlocker) -> Iterator[None]:
    """Around a fixture of a class, as ``setUpTestData`` is for Django's classes of tests. What is written here is in a
    transaction around those of the tests: what a test changes ends with it, and these rows with the last test."""
    around = transaction.atomic()
    # Django's mark of a test's transaction: the product may begin one inside that has to be the outermost otherwise.
    around._from_testcase = True  # type: ignore[attr-defined]
    with blocker.unblock(), around:
        yield
        transaction.set_rollback(True)
