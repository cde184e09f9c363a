"""Images that nodes cannot pull."""

from __future__ import annotations

from rest_framework import viewsets

from mirrors.api import serializers
from mirrors.api.filtersets.pull_failures import PullFailureFilter
from mirrors.api.requests.parameters import KnownParameters
from mirrors.models import PullFailure
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS


class PullFailureViewSet(KnownParameters, viewsets.ReadOnlyModelViewSet[PullFailure]):
    """Images that nodes of watched clusters cannot pull now, by image and cause, with advice on how to fix each."""

    queryset = PullFailure.objects.all()
    serializer_class = serializers.PullFailureSerializer
    filterset_class = PullFailureFilter
    search_fields = SEARCH_FIELDS[PullFailure]
