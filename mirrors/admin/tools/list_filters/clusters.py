"""The clusters of rows in lists: the column of their namespace, that of rows of the configuration, and a filter where
there are several."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import DropdownFilter

from mirrors.models import Filter, Registry
from mirrors.selectors.clusters.clusters import clusters_in_words, known_clusters, place_name


@admin.display(description="namespace", ordering="namespace")
def namespace_column(self: Any, row: models.Model) -> str:
    """The namespace; of another cluster than this one, with the cluster's name."""
    return place_name(row.cluster, row.namespace) or "–"  # type: ignore[attr-defined]


@admin.display(description="cluster", ordering="cluster")
def clusters_column(self: Any, row: Filter | Registry) -> str:
    """The clusters that a filter or a registry is for."""
    return clusters_in_words(row)


def has_several(request: HttpRequest) -> bool:
    """Whether several clusters are known; they are read once a request."""
    if not hasattr(request, "known_clusters"):
        request.known_clusters = known_clusters()  # type: ignore[attr-defined]
    return len(request.known_clusters) > 1  # type: ignore[attr-defined]


class ClusterListFilter(DropdownFilter):
    """Rows of one cluster; shown where several share the database, and where a link asks for one."""

    title = parameter_name = "cluster"
    field = "cluster"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(name, name) for name in known_clusters()]

    def has_output(self) -> bool:
        return len(self.lookup_choices) > (0 if self.value() else 1)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.field: self.value()}) if self.value() else queryset
