"""Search for admissions by image, namespace, pod and workload."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.db import connections
from django.db.models import QuerySet

from mirrors.models import AdmissionSample
from mirrors.selectors.queries.search import search

SEARCH_FIELDS: Final = ("namespace", "pod_name", "workload", "image_names")


def search_admissions(rows: QuerySet[AdmissionSample], words: Sequence[str]) -> QuerySet[AdmissionSample]:
    """Those that have each word in one of the fields."""
    if not words or connections[rows.db].vendor != "sqlite":
        return search(rows, words, SEARCH_FIELDS)
    # SQLite would read each row, with its pod; a query for columns of the index alone reads the index alone.
    found = search(AdmissionSample.objects.all(), words, SEARCH_FIELDS).order_by()
    return rows.filter(pk__in=found.values("pk"))
