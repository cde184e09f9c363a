"""Mappings. Their actions are implemented in ``mirrors.services``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer

from mirrors import services
from mirrors.accounts.roles import Role
from mirrors.api import serializers
from mirrors.api.filtersets.mappings import MappingFilter
from mirrors.api.requests.current_user import username_of
from mirrors.api.requests.no_fields import rejects_body
from mirrors.api.requests.parameters import KnownParameters
from mirrors.api.views.job_responses import job_response_of
from mirrors.models import ImageMapping
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS


class MappingViewSet(KnownParameters, viewsets.ReadOnlyModelViewSet[ImageMapping]):
    """Mappings: source images with their place at the target, and their state."""

    queryset = ImageMapping.objects.select_related("last_job")
    serializer_class = serializers.MappingSerializer
    filterset_class = MappingFilter
    search_fields = SEARCH_FIELDS[ImageMapping]
    ordering_fields = ("id", "last_seen_at")
    roles: ClassVar[dict[str, Role]] = dict.fromkeys(("mirror", "verify", "pause", "resume", "destroy"), Role.OPERATOR)

    def get_serializer_class(self) -> type[BaseSerializer[ImageMapping]]:
        return serializers.MappingDetailSerializer if self.action == "retrieve" else self.serializer_class

    @extend_schema(request=None, responses={200: serializers.JobSerializer, 201: serializers.JobSerializer})
    @action(detail=True, methods=["post"])
    @rejects_body
    def mirror(self, request: Request, pk: str) -> Response:
        """Mirror the image now. If the image has an active job, that job is returned."""
        return _job_of(services.mirror_mappings, self.get_object(), request)

    @extend_schema(request=None, responses={200: serializers.JobSerializer, 201: serializers.JobSerializer})
    @action(detail=True, methods=["post"])
    @rejects_body
    def verify(self, request: Request, pk: str) -> Response:
        """Request a verification: a worker checks that the target has the image unchanged. If the image has an active
        job, that job is returned."""
        return _job_of(services.verify_mappings, self.get_object(), request)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Delete the mapping and its history. The image stays at the target. The next pod that uses the image creates a
        new mapping."""
        _, refusals = services.forget_mappings(mapping_ids=[self.get_object().pk], requested_by=username_of(request))
        if refusals:
            raise services.ActionRefusedError(refusals[0])
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    @rejects_body
    def pause(self, request: Request, pk: str) -> Response:
        """Pause the mapping: the image is neither mirrored nor swapped until you resume it."""
        return self._set_paused(paused=True)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    @rejects_body
    def resume(self, request: Request, pk: str) -> Response:
        """Resume the mapping: the image is mirrored and swapped again."""
        return self._set_paused(paused=False)

    def _set_paused(self, *, paused: bool) -> Response:
        mapping = self.get_object()
        services.set_paused(mapping_ids=[mapping.pk], paused=paused, requested_by=username_of(self.request))
        mapping.refresh_from_db()
        return Response(serializers.MappingSerializer(mapping).data)


def _job_of(run: Callable[..., services.BulkResult], mapping: ImageMapping, request: Request) -> Response:
    """Run an action on one mapping, and return the resulting job."""
    return job_response_of(run(mapping_ids=[mapping.pk], requested_by=username_of(request)))
