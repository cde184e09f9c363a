"""Watched clusters, and their nodes."""

from __future__ import annotations

from rest_framework import mixins, viewsets

from mirrors.api import serializers
from mirrors.api.filtersets.clusters import ClusterFilter, ClusterNodeFilter
from mirrors.api.requests.parameters import KnownParameters
from mirrors.models import Cluster, ClusterNode
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS


class ClusterViewSet(KnownParameters, mixins.ListModelMixin, viewsets.GenericViewSet[Cluster]):
    """Watched clusters, as their watchers last reported them."""

    queryset = Cluster.objects.all()
    serializer_class = serializers.ClusterSerializer
    filterset_class = ClusterFilter
    search_fields = SEARCH_FIELDS[Cluster]


class ClusterNodeViewSet(KnownParameters, mixins.ListModelMixin, viewsets.GenericViewSet[ClusterNode]):
    """Nodes of the clusters, and when each node was last observed to pull from the target."""

    queryset = ClusterNode.objects.all()
    serializer_class = serializers.ClusterNodeSerializer
    filterset_class = ClusterNodeFilter
    search_fields = SEARCH_FIELDS[ClusterNode]
