"""The filter of lists whose rows have a namespace."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import TextFilter


class OwnNamespaceFilter(TextFilter):
    """Rows of one namespace."""

    title = "namespace"
    parameter_name = "namespace"

    def queryset(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        return rows.filter(namespace=self.value()) if self.value() else rows
