"""Clusters in lists: a column with the namespace, a column with the clusters of configuration rows, and a filter that
is shown if there are several clusters."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.contrib.filters.admin import DropdownFilter

from mirrors.admin.tools.lists.list_rendering import label
from mirrors.models import Filter, ManagedBy, Registry
from mirrors.selectors.clusters.clusters import cluster_names, qualified_namespace
from mirrors.selectors.queries.known_clusters import known_clusters
from mirrors.vocabulary.clusters import ALL_CLUSTERS


@admin.display(description="namespace", ordering="namespace")
def namespace_column(self: Any, row: models.Model) -> str:
    """Return the namespace, with the name of its cluster unless that is the cluster of this process."""
    return qualified_namespace(row.cluster, row.namespace) or "–"  # type: ignore[attr-defined]


@admin.display(description="cluster", ordering="cluster")
def clusters_column(self: Any, row: Filter | Registry) -> Any:
    """Return the clusters that a filter or a registry applies to, with the row's ``cluster_warning`` if one is
    unknown."""
    names = cluster_names(row)
    if not (warning := getattr(row, "cluster_warning", "")):
        return names
    return format_html('<span title="{}">{}</span>', warning, label(f"{names} (unknown)", "warning"))


def clusters_of_request(request: HttpRequest) -> list[str]:
    """Return the known clusters, which are read once per request."""
    if not hasattr(request, "known_clusters"):
        request.known_clusters = known_clusters()  # type: ignore[attr-defined]
    return request.known_clusters  # type: ignore[attr-defined, no-any-return]


def names_clusters(request: HttpRequest, model: type[Filter] | type[Registry]) -> bool:
    """Return whether a configuration list shows the cluster column: if there are several clusters or a row has an
    unknown one."""
    if not hasattr(request, "names_clusters"):
        clusters = clusters_of_request(request)
        others = model.objects.filter(managed_by=ManagedBy.OPERATOR).exclude(cluster__in=[ALL_CLUSTERS, *clusters])
        request.names_clusters = len(clusters) > 1 or others.exists()  # type: ignore[attr-defined]
    return request.names_clusters  # type: ignore[attr-defined, no-any-return]


class ClusterListFilter(DropdownFilter):
    """Rows of one cluster. The filter is shown if several clusters share the database, or if the link selects one."""

    title = parameter_name = "cluster"
    field = "cluster"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(name, name) for name in known_clusters()]

    def has_output(self) -> bool:
        return len(self.lookup_choices) > (0 if self.value() else 1)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.field: self.value()}) if self.value() else queryset
