"""The parameter ``search``: each word must occur in a search field of the resource, as on its page in the admin."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework.filters import SearchFilter
from rest_framework.request import Request
from rest_framework.views import APIView

from mirrors.models import AdmissionSample, ImageMapping, RunningImage
from mirrors.selectors.images.admissions import search_admissions
from mirrors.selectors.images.mapping_search import search_mappings
from mirrors.selectors.queries.search import by_keys, search


class ImageSearch(SearchFilter):
    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: APIView) -> QuerySet[Any]:
        words = self.get_search_terms(request)
        fields = self.get_search_fields(view, request)
        if queryset.model is AdmissionSample:
            return search_admissions(queryset, words)
        if not (words and fields):
            return queryset
        if queryset.model is ImageMapping:
            return search_mappings(queryset, words)
        results = search(queryset, words, fields)
        return by_keys(queryset, results) if queryset.model is RunningImage else results
