"""Clusters that are watched."""

from __future__ import annotations

from rest_framework import mixins, viewsets

from mirrors.api import serializers
from mirrors.models import Cluster


class ClusterViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Cluster]):
    """Clusters, as their watchers last reported them."""

    queryset = Cluster.objects.all()
    serializer_class = serializers.ClusterSerializer
