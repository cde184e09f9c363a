"""Backfills. Actions use ``mirrors.services.clusters.backfill``."""

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
from mirrors.api.requests.current_user import who
from mirrors.api.requests.no_fields import takes_no_fields
from mirrors.api.requests.parameters import KnownParameters
from mirrors.models import BackfillImage, BackfillRun
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS

ANSWER = serializers.BackfillDetailSerializer


class BackfillViewSet(KnownParameters, mixins.CreateModelMixin, viewsets.ReadOnlyModelViewSet[BackfillRun]):
    """Backfills, which mirror images that a cluster runs already. A cluster has one at a time that is open."""

    queryset = BackfillRun.objects.all()
    serializer_class = serializers.BackfillSerializer
    filterset_class = BackfillFilter
    search_fields = SEARCH_FIELDS[BackfillRun]
    roles: ClassVar[dict[str, Role]] = dict.fromkeys(("create", "start", "pause", "resume", "cancel"), Role.OPERATOR)

    @extend_schema(responses=ANSWER)
    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """A backfill with its progress."""
        return Response(ANSWER(self.get_object()).data)

    @extend_schema(request=serializers.BackfillPreviewSerializer, responses={201: ANSWER})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Preview what a backfill of the cluster would mirror; it replaces an earlier preview. Nothing is copied until
        it is started."""
        asked = serializers.BackfillPreviewSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        run = services.request_preview(cluster=asked.validated_data["cluster"], requested_by=who(request))
        return Response(ANSWER(run).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None, responses=ANSWER)
    @action(detail=True, methods=["post"])
    @takes_no_fields
    def start(self, request: Request, pk: str) -> Response:
        """Begin to mirror the images of a preview that is complete (`previewed_at`)."""
        return Response(ANSWER(services.start_run(run_id=self.get_object().pk, requested_by=who(request))).data)

    @extend_schema(request=None, responses=ANSWER)
    @action(detail=True, methods=["post"])
    @takes_no_fields
    def pause(self, request: Request, pk: str) -> Response:
        """Request no more copies. Jobs that are queued already run."""
        return Response(ANSWER(services.pause_run(run_id=self.get_object().pk, requested_by=who(request))).data)

    @extend_schema(request=None, responses=ANSWER)
    @action(detail=True, methods=["post"])
    @takes_no_fields
    def resume(self, request: Request, pk: str) -> Response:
        """Continue a paused backfill."""
        return Response(ANSWER(services.resume_run(run_id=self.get_object().pk, requested_by=who(request))).data)

    @extend_schema(request=None, responses=ANSWER)
    @action(detail=True, methods=["post"])
    @takes_no_fields
    def cancel(self, request: Request, pk: str) -> Response:
        """End a backfill, and cancel its queued jobs, except those whose image pods have requested since."""
        return Response(ANSWER(services.cancel_run(run_id=self.get_object().pk, requested_by=who(request))).data)


class BackfillImageViewSet(KnownParameters, mixins.ListModelMixin, viewsets.GenericViewSet[BackfillImage]):
    """Images of backfills: those that are mirrored, and those that are skipped with the reason."""

    queryset = BackfillImage.objects.all()
    serializer_class = serializers.BackfillImageSerializer
    filterset_class = BackfillImageFilter
    search_fields = SEARCH_FIELDS[BackfillImage]
