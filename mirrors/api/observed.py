"""What was observed: uses, repositories, actions, running processes, numbers, health."""

from __future__ import annotations

from typing import ClassVar

from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from mirrors import selectors, services
from mirrors.accounts.roles import Role
from mirrors.api import serializers
from mirrors.api.parameters import check
from mirrors.api.who import who
from mirrors.models import HostBudget, ImageUse, Instance, OperatorAction, TargetRepository
from mirrors.selectors.current_state import running_processes
from mirrors.selectors.statistics import Overview, numbers


class UseViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[ImageUse]):
    """Which workloads run which image."""

    queryset = ImageUse.objects.select_related("mapping")
    serializer_class = serializers.UseSerializer
    filterset_fields = ("namespace", "workload_kind", "workload", "mapping")
    search_fields = ("mapping__source", "workload")


class RepositoryViewSet(viewsets.ReadOnlyModelViewSet[TargetRepository]):
    """Repositories at the target, and which of their settings differ from what is configured."""

    queryset = TargetRepository.objects.all()
    serializer_class = serializers.RepositorySerializer
    filterset_fields = ("has_differences", "pulls_through", "registry")
    search_fields = ("name",)
    roles: ClassVar[dict[str, Role]] = {"apply": Role.OPERATOR}

    @extend_schema(request=None, responses={202: serializers.RepositorySerializer})
    @action(detail=True, methods=["post"])
    def apply(self, request: Request, pk: str) -> Response:
        """Have the next free worker give it the configured settings."""
        row: TargetRepository = self.get_object()
        if not row.has_differences:
            raise services.JobStateError(f"{row.name} is as it is configured: there is nothing to apply.")
        services.request_settings(repository_ids=[row.pk], requested_by=who(request))
        row.refresh_from_db()
        return Response(self.get_serializer(row).data, status=status.HTTP_202_ACCEPTED)


class HostViewSet(viewsets.ReadOnlyModelViewSet[HostBudget]):
    """Hosts of registries that asked us to wait, or reported how many pulls are left."""

    queryset = HostBudget.objects.all()
    serializer_class = serializers.HostSerializer
    filterset_fields = ("host",)
    search_fields = ("host",)
    roles: ClassVar[dict[str, Role]] = {"resume": Role.OPERATOR}

    @extend_schema(request=None, responses=serializers.HostSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """End its pause now. A host that still limits requests asks for another one."""
        row: HostBudget = self.get_object()
        if not services.resume_hosts(host_ids=[row.pk], requested_by=who(request)):
            raise services.JobStateError(f"{row.host} is not paused: there is nothing to resume.")
        row.refresh_from_db()
        return Response(self.get_serializer(row).data)


OVERDUE = 600.0
"""Seconds."""


class ActionViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[OperatorAction]):
    """What people did to jobs, mappings, registries and repositories, the newest first."""

    queryset = OperatorAction.objects.all()
    serializer_class = serializers.ActionSerializer
    filterset_fields = ("actor", "action", "mapping", "job")


class InstanceViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Instance]):
    """Webhooks and workers as they last reported themselves."""

    queryset = Instance.objects.all()
    serializer_class = serializers.InstanceSerializer
    filterset_fields = ("role",)


@method_decorator(conditional_page, name="dispatch")
class StatsView(APIView):
    """The numbers of the last hours."""

    @extend_schema(
        parameters=[OpenApiParameter("hours", int, description="1 to 720; default 24.")],
        responses=serializers.StatsSerializer,
    )
    def get(self, request: Request) -> Response:
        check(request, ("hours",))
        asked = serializers.RangeSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        overview = Overview(hours=asked.validated_data["hours"])
        found = {**numbers(overview), "series": overview.series()}
        return Response(serializers.StatsSerializer(found).data)


class HealthView(APIView):
    """Whether copies and swaps can go on: is there a worker, a webhook, and how long has the oldest job been due."""

    @extend_schema(responses=serializers.HealthSerializer)
    def get(self, request: Request) -> Response:
        processes = running_processes(timezone.now())
        oldest = max((line.oldest_due_seconds for line in selectors.queue()), default=0.0)
        problems = [
            words
            for is_so, words in (
                (
                    not processes["workers"],
                    "No worker reports itself: nothing is copied. Start one, or look at its log.",
                ),
                (not processes["webhooks"], "No webhook reports itself: no pod is swapped. Look at its log."),
                (oldest > OVERDUE, "A job has been due for over ten minutes: add workers, or look at their logs."),
            )
            if is_so
        ]
        found = {**processes, "oldest_due_seconds": oldest, "problems": problems, "is_healthy": not problems}
        return Response(serializers.HealthSerializer(found).data)
