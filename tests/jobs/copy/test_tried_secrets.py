"""A namespace is refused only if all Secrets of all its pods were read, in whatever order they were tried."""

from __future__ import annotations

from itertools import permutations

import pytest

from mirrors.jobs.copy.source_access import TriedSecrets
from mirrors.kubernetes.api_server.pull_secrets import FoundSecrets

READS, REFUSED, UNREADABLE = "reads the source", "does not read the source", "could not be read"


@pytest.mark.parametrize(
    ("results", "grant"),
    [
        ([READS], True),
        ([REFUSED], False),
        ([UNREADABLE], None),
        ([REFUSED, REFUSED], False),
        ([REFUSED, UNREADABLE], None),
        ([READS, UNREADABLE], True),
        ([READS, REFUSED, UNREADABLE], True),
        ([REFUSED, UNREADABLE, REFUSED], None),
    ],
)
def test_the_grant_does_not_depend_on_the_order_of_the_results(results: list[str], grant: bool | None) -> None:
    for order in permutations(results):
        tried = TriedSecrets()
        for result in order:
            tried.record("shop", FoundSecrets(is_complete=result != UNREADABLE), is_readable=result == READS)
        assert tried.grants.get("shop") is grant, order
