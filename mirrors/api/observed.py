"""What the system records: workloads, repositories, activity, processes, statistics, health."""

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
    """The workloads that use an image."""

    queryset = ImageUse.objects.select_related("mapping")
    serializer_class = serializers.UseSerializer
    filterset_fields = ("namespace", "workload_kind", "workload", "mapping")
    search_fields = ("mapping__source", "workload")


class RepositoryViewSet(viewsets.ReadOnlyModelViewSet[TargetRepository]):
    """Repositories at the target, and which of their settings differ from the configuration."""

    queryset = TargetRepository.objects.all()
    serializer_class = serializers.RepositorySerializer
    filterset_fields = ("has_differences", "pulls_through", "registry")
    search_fields = ("name",)
    roles: ClassVar[dict[str, Role]] = {"apply": Role.OPERATOR}

    @extend_schema(request=None, responses={202: serializers.RepositorySerializer})
    @action(detail=True, methods=["post"])
    def apply(self, request: Request, pk: str) -> Response:
        """Request that the next free worker applies the configured settings."""
        row: TargetRepository = self.get_object()
        if not row.has_differences:
            raise services.JobStateError(
                f"The settings of {row.name} do not differ from the configuration: there is nothing to apply."
            )
        services.request_settings(repository_ids=[row.pk], requested_by=who(request))
        row.refresh_from_db()
        return Response(self.get_serializer(row).data, status=status.HTTP_202_ACCEPTED)


class HostViewSet(viewsets.ReadOnlyModelViewSet[HostBudget]):
    """Hosts of registries that are rate limited, or that reported their remaining pulls."""

    queryset = HostBudget.objects.all()
    serializer_class = serializers.HostSerializer
    filterset_fields = ("host",)
    search_fields = ("host",)
    roles: ClassVar[dict[str, Role]] = {"resume": Role.OPERATOR}

    @extend_schema(request=None, responses=serializers.HostSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """End the rate limit of a host now. If the host still limits requests, copies wait again."""
        row: HostBudget = self.get_object()
        if not services.resume_hosts(host_ids=[row.pk], requested_by=who(request)):
            raise services.JobStateError(f"{row.host} is not rate limited: there is nothing to resume.")
        row.refresh_from_db()
        return Response(self.get_serializer(row).data)


OVERDUE = 600.0
"""Seconds after which a job that no worker starts is a problem: twice the longest usual backlog."""


class ActionViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[OperatorAction]):
    """What users did with jobs, mappings, registries and repositories; newest first."""

    queryset = OperatorAction.objects.all()
    serializer_class = serializers.ActionSerializer
    filterset_fields = ("actor", "action", "mapping", "job")


class InstanceViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[Instance]):
    """Webhook and worker processes, with their last report."""

    queryset = Instance.objects.all()
    serializer_class = serializers.InstanceSerializer
    filterset_fields = ("role",)


@method_decorator(conditional_page, name="dispatch")
class StatsView(APIView):
    """Statistics of the last hours."""

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
    """Whether images are copied and swapped: webhooks and workers run, and no job has been queued for too long."""

    @extend_schema(responses=serializers.HealthSerializer)
    def get(self, request: Request) -> Response:
        processes = running_processes(timezone.now())
        oldest = max((line.oldest_due_seconds for line in selectors.queue()), default=0.0)
        problems = [
            words
            for is_so, words in (
                (
                    not processes["workers"],
                    "No worker is running: nothing is copied. Start one, or check its log.",
                ),
                (not processes["webhooks"], "No webhook is running: no pod is swapped. Check its log."),
                (oldest > OVERDUE, "A job has been queued for over ten minutes: add workers, or check their logs."),
            )
            if is_so
        ]
        found = {**processes, "oldest_due_seconds": oldest, "problems": problems, "is_healthy": not problems}
        return Response(serializers.HealthSerializer(found).data)
