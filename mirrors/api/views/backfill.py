"""Backfills. Their actions are implemented in ``mirrors.services.clusters.backfill``."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from mirrors import services
from mirrors.accounts.roles import Role
from mirrors.api import serializers
from mirrors.api.filtersets.backfill import BackfillFilter, BackfillImageFilter
from mirrors.api.requests.current_user import username_of
from mirrors.api.requests.no_fields import rejects_body
from mirrors.api.requests.parameters import KnownParameters
from mirrors.models import BackfillImage, BackfillRun
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS

RESPONSE_SERIALIZER = serializers.BackfillDetailSerializer


class BackfillViewSet(KnownParameters, mixins.CreateModelMixin, viewsets.ReadOnlyModelViewSet[BackfillRun]):
    """Backfills, which mirror images that a cluster already runs. A cluster has at most one open backfill."""

    queryset = BackfillRun.objects.all()
    serializer_class = serializers.BackfillSerializer
    filterset_class = BackfillFilter
    search_fields = SEARCH_FIELDS[BackfillRun]
    roles: ClassVar[dict[str, Role]] = dict.fromkeys(("create", "start", "pause", "resume", "cancel"), Role.OPERATOR)

    @extend_schema(responses=RESPONSE_SERIALIZER)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return a backfill with its progress."""
        return Response(RESPONSE_SERIALIZER(self.get_object()).data)

    @extend_schema(request=serializers.BackfillPreviewSerializer, responses={201: RESPONSE_SERIALIZER})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Preview the images that a backfill of the cluster would mirror. The preview replaces an earlier one. Nothing
        is copied until you start the backfill."""
        serializer = serializers.BackfillPreviewSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        run = services.request_preview(cluster=serializer.validated_data["cluster"], requested_by=username_of(request))
        return Response(RESPONSE_SERIALIZER(run).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=RESPONSE_SERIALIZER)
    @action(detail=True, methods=["post"])
    @rejects_body
    def start(self, request: Request, pk: str) -> Response:
        """Start to mirror the images of a preview. The preview must be complete (`previewed_at` is set)."""
        return Response(
            RESPONSE_SERIALIZER(services.start_run(run_id=self.get_object().pk, requested_by=username_of(request))).data
        )

    @extend_schema(request=None, responses=RESPONSE_SERIALIZER)
    @action(detail=True, methods=["post"])
    @rejects_body
    def pause(self, request: Request, pk: str) -> Response:
        """Pause the backfill: it requests no more copies. Jobs that are already queued still run."""
        return Response(
            RESPONSE_SERIALIZER(services.pause_run(run_id=self.get_object().pk, requested_by=username_of(request))).data
        )

    @extend_schema(request=None, responses=RESPONSE_SERIALIZER)
    @action(detail=True, methods=["post"])
    @rejects_body
    def resume(self, request: Request, pk: str) -> Response:
        """Continue a paused backfill."""
        return Response(
            RESPONSE_SERIALIZER(
                services.resume_run(run_id=self.get_object().pk, requested_by=username_of(request))
            ).data
        )

    @extend_schema(request=None, responses=RESPONSE_SERIALIZER)
    @action(detail=True, methods=["post"])
    @rejects_body
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel the backfill and its queued jobs, except jobs whose image pods have requested in the meantime."""
        return Response(
            RESPONSE_SERIALIZER(
                services.cancel_run(run_id=self.get_object().pk, requested_by=username_of(request))
            ).data
        )


class BackfillImageViewSet(KnownParameters, mixins.ListModelMixin, viewsets.GenericViewSet[BackfillImage]):
    """Images of backfills: those to mirror, and those that are skipped, with the reason."""

    queryset = BackfillImage.objects.all()
    serializer_class = serializers.BackfillImageSerializer
    filterset_class = BackfillImageFilter
    search_fields = SEARCH_FIELDS[BackfillImage]
