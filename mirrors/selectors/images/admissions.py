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
    """Return the admissions that contain each word in one of the search fields."""
    if not words or connections[rows.db].vendor != "sqlite":
        return search(rows, words, SEARCH_FIELDS)
    # SQLite would read each row, with its pod. A query that selects only columns of the index reads only the index.
    matches = search(AdmissionSample.objects.all(), words, SEARCH_FIELDS).order_by()
    return rows.filter(pk__in=matches.values("pk"))
