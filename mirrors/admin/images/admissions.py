"""Admin of recent admissions: a sample of the reviews, each with the decisions on its images."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold.contrib.filters.admin import DropdownFilter
from unfold.decorators import display

from mirrors.admin.tools.base import ReadOnlyAdmin
from mirrors.admin.tools.list_filters.clusters import ClusterListFilter, namespace_column
from mirrors.admin.tools.list_filters.namespace_filter import OwnNamespaceFilter
from mirrors.admin.tools.lists.columns import breakable
from mirrors.admin.tools.lists.csv_export import csv_column
from mirrors.admin.tools.lists.list_rendering import labels
from mirrors.kubernetes.objects.yaml_scalars import dump
from mirrors.models import AdmissionSample
from mirrors.selectors.images.admissions import SEARCH_FIELDS, search_admissions
from mirrors.selectors.queries.search import search_words
from mirrors.vocabulary.reasons import meaning_of

SHOWN_IMAGES: Final = 3
"""The maximum number of images of a pod in the list."""


class DecisionFilter(DropdownFilter):
    title = "decision"
    parameter_name = "decision"
    conditions: Final = {"swap": {"swapped__gt": 0}, "keep": {"kept__gt": 0}}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("swap", "At least one image swapped"), ("keep", "At least one image kept")]

    def queryset(self, request: HttpRequest, rows: QuerySet[AdmissionSample]) -> QuerySet[AdmissionSample]:
        return rows.filter(**self.conditions.get(self.value() or "", {}))


@admin.register(AdmissionSample)
class AdmissionSampleAdmin(ReadOnlyAdmin[AdmissionSample]):
    list_display = ["when", "shown_namespace", "shown_workload", "pod_name", "shown_images", "shown_reasons"]
    empty_message = "Appear after a pod is admitted: create one. They are kept for seven days."
    list_filter = [OwnNamespaceFilter, DecisionFilter, ClusterListFilter]
    search_fields = SEARCH_FIELDS
    search_help_text = "Search by image, namespace, pod or workload"
    ordering = ["-id"]
    sortable_by = ("when",)
    list_before_template = "admin/mirrors/admissions_hint.html"
    change_form_template = "admin/mirrors/admission.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[AdmissionSample]:
        rows = super().get_queryset(request)
        # The list does not show pods, which are the largest part of a row.
        return rows if request.resolver_match and request.resolver_match.kwargs else rows.defer("pod")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AdmissionSample], term: str
    ) -> tuple[QuerySet[AdmissionSample], bool]:
        return search_admissions(queryset, search_words(term)), False

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        extra = {"is_empty": not AdmissionSample.objects.exists()}
        return super().changelist_view(request, {**extra, **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        sample = self.get_object(request, object_id)
        extra = {} if sample is None else _details(sample)
        return super().change_view(request, object_id, form_url, {**extra, **(extra_context or {})})

    shown_namespace = namespace_column

    @csv_column("when", lambda row: row.created_at)
    @display(description="when", ordering="id")
    def when(self, row: AdmissionSample) -> SafeString:
        return format_html(
            '<time datetime="{}">{}</time>', row.created_at.isoformat(), f"{row.created_at:%d %b, %H:%M:%S}"
        )

    @display(description="workload")
    def shown_workload(self, row: AdmissionSample) -> str:
        return f"{row.workload_kind}/{row.workload}" if row.workload else row.workload_kind or "–"

    @csv_column("images", lambda row: ", ".join(d["image"] for d in row.decisions))
    @display(description="images")
    def shown_images(self, row: AdmissionSample) -> SafeString:
        """Return the first images, with the decision on hover."""
        shown = [(d["decision"], breakable(d["image"])) for d in row.decisions[:SHOWN_IMAGES]]
        more = f"and {len(row.decisions) - SHOWN_IMAGES} more" if len(row.decisions) > SHOWN_IMAGES else ""
        lines = format_html_join(mark_safe("<br>"), '<span title="{}">{}</span>', shown)
        return format_html("{} {}", lines, more) if shown else mark_safe("–")

    @csv_column("reasons", lambda row: ", ".join(_reasons(row)))
    @display(description="reasons")
    def shown_reasons(self, row: AdmissionSample) -> SafeString:
        return labels(_reasons(row))


def _reasons(sample: AdmissionSample) -> list[str]:
    """Return the reasons without duplicates."""
    return list(dict.fromkeys(d["reason"] for d in sample.decisions))


def _details(sample: AdmissionSample) -> dict[str, Any]:
    return {
        "sample": sample,
        "number": str(sample.pk),
        "images": [_decision_details(d) for d in sample.decisions],
        "pod_text": dump(sample.pod),
    }


def _decision_details(decision: dict[str, Any]) -> dict[str, Any]:
    """Return the decision on one image, with the meaning of its reasons."""
    name = decision.get("filter")
    return {
        **decision,
        "meaning": meaning_of(decision["reason"]),
        "would_meaning": meaning_of(decision.get("would") or ""),
        "filter_link": f"{reverse('admin:mirrors_filter_changelist')}?{urlencode({'name': name})}" if name else "",
    }
