"""Running processes."""

from __future__ import annotations

from rest_framework import mixins, viewsets

from mirrors.api import serializers
from mirrors.api.filtersets.processes import InstanceFilter
from mirrors.api.requests.parameters import KnownParameters
from mirrors.models import Instance
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS


class InstanceViewSet(KnownParameters, mixins.ListModelMixin, viewsets.GenericViewSet[Instance]):
    """Webhook, worker and watcher processes, with their last report."""

    queryset = Instance.objects.all()
    serializer_class = serializers.InstanceSerializer
    filterset_class = InstanceFilter
    search_fields = SEARCH_FIELDS[Instance]
