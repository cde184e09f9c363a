"""The filter of lists whose rows have a namespace."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import TextFilter

from mirrors.selectors.queries.known_clusters import in_namespace


class OwnNamespaceFilter(TextFilter):
    """Rows of one namespace, in all clusters or, as ``CLUSTER/NAMESPACE``, in one."""

    title = "namespace"
    parameter_name = "namespace"

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(in_namespace(name)) if (name := self.value()) else rows
