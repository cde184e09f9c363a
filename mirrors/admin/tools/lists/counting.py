"""The number of rows of a list, without reading all of them: exact for few rows, an estimate of the database for
many."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.core.exceptions import EmptyResultSet
from django.core.paginator import Paginator
from django.db import connections
from django.db.models import QuerySet
from django.utils.functional import cached_property

if TYPE_CHECKING:
    ListPages = Paginator[Any]
else:
    # Django's class accepts a type argument only in its type stubs.
    ListPages = Paginator

MOST_EXACT: Final = 10_000
"""The maximum number of rows that are counted exactly."""

MOST_COST: Final = 3_000.0
"""The highest expected cost at which rows are counted, in Postgres' units (1 is one page read in sequence). A query of
this cost takes about 20 ms; a condition without an index on a large table costs more."""

MOST_PAGES: Final = 100
"""The maximum number of pages of a list. They are limited because the database reads all rows before the requested
page."""


@dataclass(frozen=True, slots=True)
class RowCount:
    """A number of rows. If it is not ``is_exact``, it is a minimum if ``is_least``, and otherwise an estimate."""

    rows: int
    is_exact: bool = True
    is_least: bool = False

    def __str__(self) -> str:
        if self.is_exact:
            return f"{self.rows:,}"
        return f"more than {self.rows:,}" if self.is_least else f"about {_rounded(self.rows):,}"


def count_rows(rows: QuerySet[Any]) -> RowCount:
    """Count at most ``MOST_EXACT`` rows, and only if the database expects that to be cheap; otherwise return an
    estimate."""
    limited_rows = rows.order_by().values("pk")[: MOST_EXACT + 1]
    if connections[rows.db].vendor != "postgresql":
        counted = limited_rows.count()
        return RowCount(counted) if counted <= MOST_EXACT else RowCount(MOST_EXACT, is_exact=False, is_least=True)
    try:
        cost, estimate = _plan(limited_rows)
    except EmptyResultSet:
        return RowCount(0)
    if cost <= MOST_COST and (counted := limited_rows.count()) <= MOST_EXACT:
        return RowCount(counted)
    # The statistics may be outdated, so the estimate can be lower than the number of rows that were counted.
    return RowCount(max(estimate, 1 if cost > MOST_COST else MOST_EXACT), is_exact=False)


def _plan(limited_rows: QuerySet[Any, Any]) -> tuple[float, int]:
    """Return the expected cost of reading these rows, and the expected number of rows without the limit."""
    limited = json.loads(limited_rows.explain(format="json"))[0]["Plan"]
    return limited["Total Cost"], int(limited["Plans"][0]["Plan Rows"])


def _rounded(number: int) -> int:
    """Round to two digits, because an estimate is not more exact."""
    unit: int = 10 ** max(0, len(str(number)) - 2)
    return round(number / unit) * unit


class ListPaginator(ListPages):
    """A paginator that lists a next page after each full page while the number of rows is an estimate."""

    template_name = "admin/mirrors/pages.html"
    _read_to = 0

    @cached_property
    def counted(self) -> RowCount:
        return count_rows(self.object_list)  # type: ignore[arg-type]

    @cached_property
    def count(self) -> int:
        return self.counted.rows

    @cached_property
    def num_pages(self) -> int:
        rows = self.count if self.counted.is_exact else max(self.count, self._read_to + 1)
        return max(1, min(math.ceil(rows / self.per_page), MOST_PAGES))

    def read(self, number: int) -> list[Any]:
        """Return the rows of a page; an empty list if the page does not exist."""
        start = (number - 1) * self.per_page
        rows = list(self.object_list[start : start + self.per_page])
        self._derive_count(start, len(rows))
        return rows

    def _derive_count(self, start: int, row_count: int) -> None:
        """Derive the number of rows from the last page, so that they need not be counted."""
        self._read_to = start + row_count
        if 0 < row_count < self.per_page or not start + row_count:
            self.counted = RowCount(start + row_count)
