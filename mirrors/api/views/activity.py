"""The record of actions that users ran."""

from __future__ import annotations

from rest_framework import mixins, viewsets

from mirrors.api import serializers
from mirrors.api.filtersets.activity import ActionFilter
from mirrors.api.requests.parameters import KnownParameters
from mirrors.models import OperatorAction
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS


class ActionViewSet(KnownParameters, mixins.ListModelMixin, viewsets.GenericViewSet[OperatorAction]):
    """Actions that users ran on jobs, mappings, registries and repositories; newest first."""

    queryset = OperatorAction.objects.all()
    serializer_class = serializers.ActionSerializer
    filterset_class = ActionFilter
    search_fields = SEARCH_FIELDS[OperatorAction]
