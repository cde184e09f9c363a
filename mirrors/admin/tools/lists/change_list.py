"""Django's ``ChangeList`` with page numbers for any number of rows, and chips for filters."""

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
    """A filter with an unknown value. It looks like the filter that it wraps, and matches no rows."""

    def __init__(self, spec: Any) -> None:
        self._spec = spec

    def __getattr__(self, name: str) -> Any:
        return getattr(self._spec, name)

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.none()


class RowList(ChangeList):
    """A list of rows. ``counted`` is the number of rows on all pages; ``total`` is the sum of a column, if the list has
    one."""

    model_admin: Any
    paginator: ListPaginator
    total: int | None = None
    unknown_values: Sequence[str] = ()
    """Sentences about unknown filter values. If there are any, the list has no rows."""

    def get_filters(self, request: HttpRequest) -> Any:
        self.filter_params = without_empty(self.filter_params, self.opts)
        specs, has_filters, others, *rest = super().get_filters(request)
        for spec in specs:
            spec.title = filter_title(self.model_admin, spec)
        invalid = {spec: list(unknown_values(self, spec)) for spec in specs}
        unused = unused_values(self, specs, others)
        self.unknown_values = [*(text for texts in invalid.values() for text in texts), *unused]
        # Unknown values are not passed to the database, because an error would hide which value is unknown.
        return ([_NoRows(spec) if texts else spec for spec, texts in invalid.items()], has_filters, others, *rest)

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """Return no rows if a filter has an unknown value, because users would take all rows for the filtered ones."""
        rows = super().get_queryset(request, exclude_parameters)
        return rows.none() if self.unknown_values else rows

    def get_results(self, request: HttpRequest) -> None:
        """Read the page first, because a page that is not full needs no count. A page number after the last page shows
        the last page."""
        self.paginator = ListPaginator(self.queryset, self.list_per_page)
        self.page_num = max(1, min(self.page_num, MOST_PAGES))
        self.result_list = self.paginator.read(self.page_num)
        if not self.result_list and self.page_num > 1:
            self.page_num = min(self.page_num, self.paginator.num_pages)
            self.result_list = self.paginator.read(self.page_num)
        self.counted = self.paginator.counted
        # Two equal numbers keep unfold from offering to show all rows on one page.
        self.result_count = self.full_result_count = self.counted.rows
        self.multi_page = self.page_num > 1 or self.paginator.num_pages > 1
        self.show_full_result_count = self.can_show_all = False
        self.show_admin_actions = True

    @property
    def chips(self) -> list[Chip]:
        return list(chips(self))

    @property
    def url_without_chips(self) -> str:
        """The URL of the list with its order, but without filters and search."""
        return self.get_query_string(remove=[name for name in self.filter_params if name != "o"])

    @property
    def name_of_rows(self) -> Any:
        one, more = self.model_admin.row_names or (self.opts.verbose_name, self.opts.verbose_name_plural)
        return one if self.counted.rows == 1 else more

    @property
    def empty_text(self) -> str:
        """A sentence that explains when rows appear."""
        message = str(self.model_admin.empty_message)
        verb, rest = message.partition(" ")[::2]
        if verb != "Appear":
            return message
        title = str(self.model_admin.list_title)
        # "Backfill", "Activity" and "Readiness" are singular, "Jobs" is plural.
        is_plural = title.endswith("s") and not title.endswith("ss")
        return f"{capfirst(title)} {'appear' if is_plural else 'appears'} {rest}"

    @property
    def export_text(self) -> str:
        """The text of the link to the CSV file. It specifies the number of rows if the file might not have all of
        them."""
        is_whole = self.counted.is_exact and self.counted.rows <= MOST_ROWS
        return "Export CSV" if is_whole else f"Export CSV (first {MOST_ROWS:,})"
