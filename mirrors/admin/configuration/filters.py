"""Admin of filters: the expression field, hits in the last 24 hours, and the origin of each filter."""

from __future__ import annotations

from typing import Any, ClassVar, Final

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminTextareaWidget

from mirrors.admin.configuration import filter_pages
from mirrors.admin.tools import links
from mirrors.admin.tools.configured_rows import ConfiguredAdmin, WholeForm
from mirrors.admin.tools.lists.columns import boolean_column
from mirrors.filters.warnings import filter_warning
from mirrors.models import Filter, ManagedBy
from mirrors.models.configuration.filters import validate_jmespath
from mirrors.selectors.configuration import filter_impact
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS
from swapper_project import config as configuration

SHOWN_OF_AN_EXPRESSION: Final = 90
"""The maximum number of characters of an expression in the list."""


class FilterForm(WholeForm[Filter]):
    jmespath = forms.CharField(
        label="JMESPath",
        max_length=8192,
        strip=False,
        widget=UnfoldAdminTextareaWidget(
            attrs={"rows": 6, "spellcheck": "false", "autocapitalize": "off", "class": "swapper-code"}
        ),
        help_text="An expression on {obj, container}; images for which it is true are excluded. See docs/filters.md.",
    )

    def clean_jmespath(self) -> str:
        text: str = self.cleaned_data["jmespath"].replace("\r\n", "\n")
        if not text.strip():
            raise ValidationError("Enter an expression, such as obj.metadata.namespace == 'kube-system'.")
        validate_jmespath(text)
        return text


FIELDS = ("name", "jmespath", "position", "enabled", "cluster")


@admin.register(Filter)
class FilterAdmin(ConfiguredAdmin[Filter]):
    form = FilterForm
    list_display = [
        "name",
        "shown_cluster",
        "shown_jmespath",
        "position",
        "shown_enabled",
        "shown_hits",
        "origin",
        "trial",
    ]
    empty_message = "Filters of the configuration file and filters that you add appear here."
    list_filter = ["managed_by", "enabled"]
    search_fields = SEARCH_FIELDS[Filter]
    ordering = ["managed_by", "position", "id"]
    fields = FIELDS
    actions = ["enable", "disable"]
    actions_list: ClassVar[list[str]] = ["try_it"]
    list_before_template = "admin/mirrors/filters_hint.html"
    list_after_template = "admin/mirrors/without_row.html"
    change_form_before_template = "admin/mirrors/filter_before.html"
    change_form_after_template = "admin/mirrors/filter_after.html"

    class Media:
        css: ClassVar[dict[str, tuple[str, ...]]] = {"all": ("mirrors/trials.css",)}

    def get_urls(self) -> list[URLPattern]:
        urls = [
            path("try/", self.admin_site.admin_view(filter_pages.try_page), name="mirrors_filter_try"),
            path("try/answers/", self.admin_site.admin_view(filter_pages.trial_results), name="mirrors_filter_answers"),
            path("try/impact/", self.admin_site.admin_view(filter_pages.impact_of_form), name="mirrors_filter_impact"),
        ]
        return [*urls, *super().get_urls()]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Read the hits of all rows of the page with one query."""
        page: Any = super().get_changelist_instance(request)
        since = (timezone.now() - filter_impact.IMPACT_AGE).replace(microsecond=0)
        hits = filter_impact.hits(since)
        for row in page.result_list:
            row.hits, row.since = hits[row.cluster, row.name], since
        return page

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        extra = {"is_empty": not Filter.objects.exists()}
        return super().changelist_view(request, {**extra, **(extra_context or {})})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        row = self.get_object(request, object_id) if object_id else None
        extra = {"row": row, "file_place": _location_in_file(row) if row else ""}
        return super().changeform_view(request, object_id, form_url, {**extra, **(extra_context or {})})

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Start the form with the fields from the page that tries filters. They are sent as POST, because the
        expression can be too long for a URL."""
        if request.method == "POST" and "tried" in request.POST:
            tried = QueryDict(mutable=True)
            # An unchecked box is sent as an empty value. Other empty fields are dropped, so that they have their
            # defaults.
            fields = {name: request.POST[name] for name in FIELDS if name in request.POST}
            tried.update({name: value for name, value in fields.items() if value or name == "enabled"})
            request.method, request.GET = "GET", tried  # type: ignore[assignment]
        return super().add_view(request, form_url, extra_context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.method == "POST" and "tried" in request.POST:
            request.method = "GET"
            messages.info(request, "This is the expression that you tried. It is not saved yet.")
        return super().change_view(request, object_id, form_url, extra_context)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Filter | None:
        """Return the row, with the fields that were tried if the page that tries filters sends them."""
        row: Filter | None = super().get_object(request, object_id, from_field)
        if row is not None and "tried" in request.POST and self.has_change_permission(request, row):
            for name in ("jmespath", "name", "cluster"):
                setattr(row, name, request.POST.get(name, getattr(row, name)))
            row.enabled = bool(request.POST.get("enabled", row.enabled))
            if (position := filter_pages.parse_number(request.POST.get("position"))) is not None:
                row.position = position
        return row

    def save_model(self, request: HttpRequest, obj: Filter, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if warning := filter_warning(obj.jmespath):
            self.message_user(request, f"Check this filter: {warning}", messages.WARNING)

    @action(description="Try a filter", url_path="try-it", icon="science")  # type: ignore[operator]
    def try_it(self, request: HttpRequest) -> HttpResponse:
        return redirect("admin:mirrors_filter_try")

    @admin.action(description="Enable", permissions=["change"])
    def enable(self, request: HttpRequest, rows: QuerySet[Filter]) -> None:
        self._switch(request, rows, enabled=True)

    @admin.action(description="Disable", permissions=["change"])
    def disable(self, request: HttpRequest, rows: QuerySet[Filter]) -> None:
        self._switch(request, rows, enabled=False)

    def _switch(self, request: HttpRequest, rows: QuerySet[Filter], *, enabled: bool) -> None:
        from_file = rows.filter(managed_by=ManagedBy.CONFIG).count()
        editable = list(rows.exclude(managed_by=ManagedBy.CONFIG))
        for row in editable:
            row.enabled = enabled
            row.save(update_fields=["enabled", "updated_at"])
        if editable:
            self.message_user(request, f"{len(editable)} {'enabled' if enabled else 'disabled'}.", messages.SUCCESS)
        if from_file:
            advice = f"change {_config_file()}; webhooks apply the change automatically."
            self.message_user(request, f"{from_file} from the configuration file: {advice}", messages.WARNING)

    @display(description="JMESPath", ordering="jmespath")
    def shown_jmespath(self, row: Filter) -> SafeString:
        text = " ".join(row.jmespath.split())
        short = text if len(text) <= SHOWN_OF_AN_EXPRESSION else f"{text[:SHOWN_OF_AN_EXPRESSION]}…"
        return format_html('<code class="swapper-expression" title="{}">{}</code>', row.jmespath, short)

    shown_enabled = boolean_column("enabled")

    @display(description="hits (24 h)")
    def shown_hits(self, row: Any) -> SafeString:
        link = links.decisions(row.since, filter=row.name, cluster=row.cluster)
        return format_html('<a class="text-link" href="{}">{}</a>', link, row.hits)

    @display(
        description="managed by", ordering="managed_by", label={ManagedBy.CONFIG: "info", ManagedBy.OPERATOR: "primary"}
    )
    def origin(self, row: Filter) -> tuple[str, str]:
        return row.managed_by, row.get_managed_by_display()

    @display(description="")
    def trial(self, row: Filter) -> SafeString:
        link = f"{reverse('admin:mirrors_filter_try')}?filter={row.pk}"
        return format_html('<a class="text-link swapper-link" href="{}">Try it</a>', link)


def _location_in_file(row: Filter) -> str:
    """Return the place of the filter in the configuration file; empty for a filter that was added in the admin."""
    return f"{row.name} in {_config_file()}" if row.managed_by == ManagedBy.CONFIG else ""


def _config_file() -> str:
    environment = settings.ENVIRONMENT
    config_path = configuration.find(str(environment.config) if environment.config else None)
    return str(config_path or ".k8s-image-swapper.yaml")
