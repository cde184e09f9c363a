"""Images that run in clusters."""

from __future__ import annotations

from django.db.models import QuerySet
from rest_framework import mixins, viewsets

from mirrors.api import serializers
from mirrors.api.filtersets.running_images import RunningImageFilter
from mirrors.api.requests.parameters import KnownParameters
from mirrors.models import RunningImage
from mirrors.selectors.clusters.running_images import running_images
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS


class RunningImageViewSet(KnownParameters, mixins.ListModelMixin, viewsets.GenericViewSet[RunningImage]):
    """Images in the workloads of clusters, as their watchers report them: images that pods run, and images that
    templates name."""

    queryset = RunningImage.objects.none()
    serializer_class = serializers.RunningImageSerializer
    filterset_class = RunningImageFilter
    search_fields = SEARCH_FIELDS[RunningImage]

    def get_queryset(self) -> QuerySet[RunningImage]:
        """Return running images, or with ``state=ended`` also those that no longer run."""
        return running_images(include_ended=self.request.query_params.get("state") == "ended")
