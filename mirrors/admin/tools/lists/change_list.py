"""Our lists of rows: Django's ``ChangeList`` with page numbers beside any number of rows, and chips for filters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.text import capfirst

from mirrors.admin.tools.list_filters.chips import Chip, chips
from mirrors.admin.tools.list_filters.filter_values import filter_title, unknown_values, unused_values, without_empty
from mirrors.admin.tools.lists.counting import MOST_PAGES, ListPaginator
from mirrors.admin.tools.lists.csv_export import MOST_ROWS


class _NoRows:
    """A filter with an unknown value, as the list shows it; it finds nothing."""

    def __init__(self, spec: Any) -> None:
        self._spec = spec

    def __getattr__(self, name: str) -> Any:
        return getattr(self._spec, name)

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.none()


class RowList(ChangeList):
    """``counted`` are its rows on all pages; ``total`` is the sum of a column, where there is one."""

    model_admin: Any
    paginator: ListPaginator
    total: int | None = None
    unknown_values: Sequence[str] = ()
    """Sentences about filters with values that they do not have: then the list has no rows."""

    def get_filters(self, request: HttpRequest) -> Any:
        self.filter_params = without_empty(self.filter_params, self.opts)
        specs, has_filters, others, *rest = super().get_filters(request)
        for spec in specs:
            spec.title = filter_title(self.model_admin, spec)
        wrong = {spec: list(unknown_values(self, spec)) for spec in specs}
        unused = unused_values(self, specs, others)
        self.unknown_values = [*(text for texts in wrong.values() for text in texts), *unused]
        # An error of the database would be taken for what was asked for.
        return ([_NoRows(spec) if texts else spec for spec, texts in wrong.items()], has_filters, others, *rest)

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """No rows where a filter has an unknown value: all rows would be taken for what was asked for."""
        rows = super().get_queryset(request, exclude_parameters)
        return rows.none() if self.unknown_values else rows

    def get_results(self, request: HttpRequest) -> None:
        """Reads the page first: a page that is not full needs no count. A page after the last one is the last one."""
        self.paginator = ListPaginator(self.queryset, self.list_per_page)
        self.page_num = max(1, min(self.page_num, MOST_PAGES))
        self.result_list = self.paginator.read(self.page_num)
        if not self.result_list and self.page_num > 1:
            self.page_num = min(self.page_num, self.paginator.num_pages)
            self.result_list = self.paginator.read(self.page_num)
        self.counted = self.paginator.counted
        # Two equal numbers: unfold then does not offer to show all rows on one page.
        self.result_count = self.full_result_count = self.counted.rows
        self.multi_page = self.page_num > 1 or self.paginator.num_pages > 1
        self.show_full_result_count = self.can_show_all = False
        self.show_admin_actions = True

    @property
    def chips(self) -> list[Chip]:
        return list(chips(self))

    @property
    def url_without_chips(self) -> str:
        """The list with its order alone."""
        return self.get_query_string(remove=[name for name in self.filter_params if name != "o"])

    @property
    def name_of_rows(self) -> Any:
        one, more = self.model_admin.row_names or (self.opts.verbose_name, self.opts.verbose_name_plural)
        return one if self.counted.rows == 1 else more

    @property
    def empty_text(self) -> str:
        """Where rows come from, in a whole sentence."""
        words = str(self.model_admin.empty_words)
        verb, rest = words.partition(" ")[::2]
        if verb != "Appear":
            return words
        title = str(self.model_admin.list_title)
        # Backfill, Activity and Readiness, but Jobs.
        is_plural = title.endswith("s") and not title.endswith("ss")
        return f"{capfirst(title)} {'appear' if is_plural else 'appears'} {rest}"

    @property
    def export_words(self) -> str:
        """The words of the link to the CSV file, which say how much of the list is in it."""
        is_whole = self.counted.is_exact and self.counted.rows <= MOST_ROWS
        return "Export CSV" if is_whole else f"Export CSV (first {MOST_ROWS:,})"
