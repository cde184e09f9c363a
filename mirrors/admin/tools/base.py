"""Base classes of all admin pages. They do not count all rows, and do not edit rows that the system writes."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar
from urllib.parse import urlencode

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ERROR_FLAG, PAGE_VAR
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models
from django.db.models import QuerySet, Sum
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils.safestring import SafeString
from unfold import admin as unfold
from unfold.decorators import display

from mirrors.admin.tools.lists.change_list import RowList
from mirrors.admin.tools.lists.counting import MOST_PAGES
from mirrors.admin.tools.lists.csv_export import exported
from mirrors.admin.tools.lists.list_rendering import row_checkbox, select_all_checkbox
from mirrors.admin.tools.row_fields import NOTHING, row_fields
from mirrors.admin.tools.titles import MenuTitles
from mirrors.selectors.queries.search import by_keys, search, search_words

M = TypeVar("M", bound=models.Model)
P = TypeVar("P", bound=models.Model)

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin
    ModelForm = forms.ModelForm
    TabularInline = admin.TabularInline
else:
    # Django's classes accept type arguments only in their type stubs.
    class ModelAdmin(Generic[M], unfold.ModelAdmin):
        pass

    class ModelForm(Generic[M], forms.ModelForm):
        pass

    class TabularInline(Generic[M, P], unfold.TabularInline):
        pass


LIVE_PART: Final = "swapper-list"
"""The ID of the element of a list that refreshes itself."""

MOST_FILTERS_TRIED: Final = 10
"""The maximum number of parameters of a link that are tested one by one after an error. No link of the admin has so
many."""

MOST_CHARACTERS_NAMED: Final = 100
"""The maximum number of characters of a filter in a message: enough for its name and a time or a word."""


class CheckedSelection(MenuTitles):
    """Mixin of a ModelAdmin that shows an error message for a selection with invalid keys, instead of a server
    error."""

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        try:
            for key in request.POST.getlist(ACTION_CHECKBOX_NAME):
                self.opts.pk.to_python(key)
        except ValidationError:
            messages.error(request, "The selection is not valid for this list: select the rows again.")
            return None
        response: HttpResponse | None = super().response_action(request, queryset)  # type: ignore[misc]
        return response


class PlainAdmin(CheckedSelection, ModelAdmin[M]):
    """Base of lists that stay fast: they count neither all rows of the table nor the rows of each filter value."""

    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    change_list_template = "admin/mirrors/list.html"
    list_filter_submit = True
    compressed_fields = True
    empty_message: ClassVar[str] = "Rows appear here automatically."
    """The text of an empty list: what to do first, or when rows appear."""
    filter_titles: ClassVar[Mapping[str, str]] = {}
    """Titles of filters by the name of their field, for fields without a column whose own name does not fit."""
    empty_value_display = NOTHING
    list_per_page = 50
    # Only columns with an index, because the database would sort the whole table for any other column.
    sortable_by: ClassVar[Any] = ("id", "last_seen", "last_seen_at")

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Name the rows in the title of the bulk deletion as the list names them."""
        actions = super().get_actions(request)
        if self.row_names and (deletion := actions.get("delete_selected")):
            actions["delete_selected"] = (*deletion[:2], f"Delete selected {self.row_names[1]}")
        return actions

    def filter_text(self, name: str, values: Sequence[str], parameters: Mapping[str, list[str]]) -> str:
        """Return the text of the chip for a parameter that no filter has. ``parameters`` contains the values of all
        parameters."""
        return ", ".join(values)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RowList]:
        return RowList

    searches_by_keys = False
    """Whether the results of a search are selected by their keys if they are few: see ``by_keys``."""

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[M], term: str) -> tuple[QuerySet[M], bool]:
        results = search(queryset, search_words(term), self.get_search_fields(request))
        return (by_keys(queryset, results) if term and self.searches_by_keys else results), False

    @display(description=select_all_checkbox())
    def action_checkbox(self, obj: M) -> SafeString:
        return row_checkbox(obj.pk)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        # The part of the list that refreshes itself shows no messages: they would all appear on the next page.
        if request.headers.get("HX-Target") != LIVE_PART:
            _warn_about_link(request)
        return super().changelist_view(request, extra_context)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Warn about invalid filters of a link. Django redirects to the list of all rows, which then shows the
        warning."""
        try:
            return super().get_changelist_instance(request)
        except IncorrectLookupParameters:
            if invalid := self._invalid_filters(request):
                messages.warning(request, f"This list has no such filter: {', '.join(invalid)}. All rows are shown.")
            raise

    def _invalid_filters(self, request: HttpRequest) -> list[str]:
        """Return the invalid parameters among the first ``MOST_FILTERS_TRIED`` of a link. Each is tested separately."""
        invalid = []
        for name, values in list(request.GET.lists())[:MOST_FILTERS_TRIED]:
            single_filter_request = copy(request)
            single_filter_request.GET = QueryDict(urlencode({name: values}, doseq=True))
            try:
                super().get_changelist_instance(single_filter_request)
            except IncorrectLookupParameters:
                invalid.append(f"{name}={','.join(values)}"[:MOST_CHARACTERS_NAMED])
        return invalid

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Redirect to the change history of the row, which includes changes by API."""
        if not request.user.has_perm("auditlog.view_logentry"):
            raise PermissionDenied
        kind = ContentType.objects.get_for_model(self.model)
        query = urlencode({"content_type__id__exact": kind.pk, "object_pk__exact": object_id})
        return HttpResponseRedirect(f"{reverse('admin:auditlog_logentry_changelist')}?{query}")


def _warn_about_link(request: HttpRequest) -> None:
    """Add messages about a page number or a filter of the link that the list cannot apply."""
    page = request.GET.get(PAGE_VAR, "")
    if page.isdecimal() and int(page) >= MOST_PAGES:
        messages.info(request, f"Lists show at most {MOST_PAGES} pages. Use filters or search to find other rows.")
    # The request that Django redirected here added a message that names the filter. A bookmark with this flag has none.
    if ERROR_FLAG in request.GET and not len(messages.get_messages(request)):
        messages.warning(request, "The link has a filter that is not valid for this list. All rows are shown.")


class ReadOnlyAdmin(PlainAdmin[M]):
    """Rows that only the system writes, with readable times and sizes on their pages. Their list refreshes itself and
    can be exported."""

    is_live: ClassVar[bool] = True
    omitted_fields: ClassVar[Collection[str]] = ()
    """Stored fields that the page of a row omits, because columns show them in another form or users do not need
    them."""

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return [path("export/", self.admin_site.admin_view(self.export_view), name=name), *super().get_urls()]

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        """Return the filtered list as CSV."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            change_list: Any = self.get_changelist_instance(request)
        except IncorrectLookupParameters:
            return HttpResponseRedirect(f"../?{ERROR_FLAG}=1")
        # Redirect to the list, because it shows which value is unknown. An empty file would not.
        return (
            HttpResponseRedirect(f"../?{request.GET.urlencode()}")
            if change_list.unknown_values
            else exported(change_list)
        )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        if request.headers.get("HX-Target") == LIVE_PART and isinstance(response, TemplateResponse):
            response.template_name = "admin/mirrors/list_part.html"
        return response

    def get_fields(self, request: HttpRequest, obj: M | None = None) -> Any:
        return self.fields or row_fields(self, self.get_list_display(request), omit=self.omitted_fields)

    def get_readonly_fields(self, request: HttpRequest, obj: M | None = None) -> Any:
        return self.readonly_fields or self.get_fields(request, obj)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), "show_history": False})

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: M | None = None) -> bool:
        return False


class SummedAdmin(ReadOnlyAdmin[M]):
    """A list that shows the sum of one column for a time range, which equals the number on the page that links to the
    list. Without a range there is no sum, because summing all rows would be too slow. ``list_before_template`` shows
    ``cl.total``."""

    summed_field: ClassVar[str]
    summed_time_field: ClassVar[str]
    """The field of the time range. There is no sum if the range has no start, because it could include all rows."""

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        page: Any = super().get_changelist_instance(request)
        if request.GET.get(f"{self.summed_time_field}_from_0"):
            page.total = page.queryset.order_by().aggregate(n=Sum(self.summed_field))["n"] or 0
        return page
