"""The number of rows of a list, without reading all of them: exact for few rows, the database's estimate for many."""

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
    # Django's class takes a type argument in its stubs alone.
    ListPages = Paginator

MOST_EXACT: Final = 10_000
"""Rows up to which they are counted one by one."""

MOST_COST: Final = 3_000.0
"""Cost up to which they are, in Postgres' units (one page read in sequence). That many take about 20 ms; a condition
without an index on a large table costs more."""

MOST_PAGES: Final = 100
"""Pages of a list. The database reads all rows before the requested page."""


@dataclass(frozen=True, slots=True)
class RowCount:
    """A number of rows; if it is not ``is_exact``, an estimate, or the number that there are at least."""

    rows: int
    is_exact: bool = True
    is_least: bool = False

    def __str__(self) -> str:
        if self.is_exact:
            return f"{self.rows:,}"
        return f"more than {self.rows:,}" if self.is_least else f"about {_rounded(self.rows):,}"


def count_rows(rows: QuerySet[Any]) -> RowCount:
    """Counts at most ``MOST_EXACT`` rows, and only where the database expects that to be cheap."""
    some = rows.order_by().values("pk")[: MOST_EXACT + 1]
    if connections[rows.db].vendor != "postgresql":
        counted = some.count()
        return RowCount(counted) if counted <= MOST_EXACT else RowCount(MOST_EXACT, is_exact=False, is_least=True)
    try:
        cost, estimate = _plan(some)
    except EmptyResultSet:
        return RowCount(0)
    if cost <= MOST_COST and (counted := some.count()) <= MOST_EXACT:
        return RowCount(counted)
    # The statistics may be older than the rows.
    return RowCount(max(estimate, 1 if cost > MOST_COST else MOST_EXACT), is_exact=False)


def _plan(some: QuerySet[Any, Any]) -> tuple[float, int]:
    """The expected cost of reading these rows, and how many there would be without the limit."""
    limited = json.loads(some.explain(format="json"))[0]["Plan"]
    return limited["Total Cost"], int(limited["Plans"][0]["Plan Rows"])


def _rounded(number: int) -> int:
    """To two digits: an estimate is not more exact."""
    unit: int = 10 ** max(0, len(str(number)) - 2)
    return round(number / unit) * unit


class ListPaginator(ListPages):
    """Pages with numbers; where the number of rows is an estimate, there is always a next page after a full one."""

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
        """The rows of a page, whether or not there are so many pages."""
        start = (number - 1) * self.per_page
        rows = list(self.object_list[start : start + self.per_page])
        self._learn(start, len(rows))
        return rows

    def _learn(self, start: int, found: int) -> None:
        """The last page says how many rows there are: then nothing has to be counted."""
        self._read_to = start + found
        if 0 < found < self.per_page or not start + found:
            self.counted = RowCount(start + found)
