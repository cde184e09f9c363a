"""The resources. Reads go by the rows; whatever acts goes through ``mirrors.services``."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import BaseSerializer
from rest_framework.views import APIView

from mirrors import services
from mirrors.accounts.roles import Role
from mirrors.api import serializers
from mirrors.api.tries import try_filter
from mirrors.models import (
    Filter,
    ImageMapping,
    ImageUse,
    JobProgress,
    ManagedBy,
    MirrorAttempt,
    MirrorJob,
    Registry,
    RegistryRole,
    TargetRepository,
)
from mirrors.services.orders import order_image
from mirrors.stats import stats


def who(request: Request) -> str:
    """Who did it, as rows keep it."""
    return request.user.get_username()


class MappingViewSet(viewsets.ReadOnlyModelViewSet[ImageMapping]):
    """Which source image lives where at the target, and what is known of it."""

    queryset = ImageMapping.objects.all()
    serializer_class = serializers.MappingSerializer
    filterset_fields = ("existence", "access", "obstacle", "paused", "target_registry")
    search_fields = ("source", "target")
    roles: ClassVar[dict[str, Role]] = {"mirror": Role.OPERATOR, "pause": Role.OPERATOR, "resume": Role.OPERATOR}

    def get_serializer_class(self) -> type[BaseSerializer[ImageMapping]]:
        return serializers.MappingDetailSerializer if self.action == "retrieve" else self.serializer_class

    @extend_schema(request=None, responses={200: serializers.JobSerializer, 201: serializers.JobSerializer})
    @action(detail=True, methods=["post"])
    def mirror(self, request: Request, pk: str) -> Response:
        """Mirror it now. While a job of it is live, the answer is that job."""
        return _ordered(self.get_object().source, request)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Neither mirror nor swap it until it is resumed."""
        return self._set_paused(paused=True)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Mirror and swap it again."""
        return self._set_paused(paused=False)

    def _set_paused(self, *, paused: bool) -> Response:
        mapping = self.get_object()
        ImageMapping.objects.filter(pk=mapping.pk).record(paused=paused)
        mapping.refresh_from_db()
        return Response(serializers.MappingSerializer(mapping).data)


@method_decorator(conditional_page, name="dispatch")
class JobViewSet(mixins.CreateModelMixin, viewsets.ReadOnlyModelViewSet[MirrorJob]):
    """Orders to copy an image. A job that has ended never changes: a retry is a new one."""

    queryset = MirrorJob.objects.select_related("mapping")
    serializer_class = serializers.JobSerializer
    filterset_fields = ("status", "error_class", "namespace", "priority", "trigger", "mapping")
    search_fields = ("mapping__source", "error_message")
    roles: ClassVar[dict[str, Role]] = {"create": Role.OPERATOR, "retry": Role.OPERATOR, "cancel": Role.OPERATOR}

    @extend_schema(
        request=serializers.OrderSerializer,
        responses={200: serializers.JobSerializer, 201: serializers.JobSerializer},
    )
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Mirror an image now. While a job of it is live, the answer is that job."""
        order = serializers.OrderSerializer(data=request.data)
        order.is_valid(raise_exception=True)
        return _ordered(order.validated_data["image"], request)

    @extend_schema(request=None, responses={201: serializers.JobSerializer})
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, pk: str) -> Response:
        """Order the job's image anew."""
        job = services.retry_job(job_id=self.get_object().pk, requested_by=who(request))
        return Response(self.get_serializer(job).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """End a pending job at once, a running one at its next heartbeat."""
        job = services.cancel_job(job_id=self.get_object().pk, requested_by=who(request))
        return Response(self.get_serializer(job).data)

    @extend_schema(responses=serializers.AttemptSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def attempts(self, request: Request, pk: str) -> Response:
        """What each worker that took it did, with its log."""
        rows = MirrorAttempt.objects.filter(job=self.get_object()).order_by("number")
        return Response(serializers.AttemptSerializer(rows, many=True).data)

    @extend_schema(responses=serializers.ProgressSerializer)
    @action(detail=True)
    def progress(self, request: Request, pk: str) -> Response:
        """Bytes and blobs of a running copy, twice a second."""
        job: MirrorJob = self.get_object()
        seen = JobProgress.objects.filter(job=job).first() or JobProgress(
            job=job, moving=[], started_at=job.created_at, updated_at=job.created_at
        )
        return Response(serializers.ProgressSerializer(seen).data)


Declarable = TypeVar("Declarable", Filter, Registry)


class DeclarableViewSet(viewsets.ModelViewSet[Declarable]):
    """Rows that the configuration file may declare: those are shown, and can't be changed here."""

    def perform_update(self, serializer: BaseSerializer[Declarable]) -> None:
        assert serializer.instance is not None
        _refuse_if_from_file(serializer.instance.managed_by)
        serializer.save()

    def perform_destroy(self, instance: Declarable) -> None:
        _refuse_if_from_file(instance.managed_by)
        instance.delete()


class FilterViewSet(DeclarableViewSet[Filter]):
    """Queries for images that are left alone. Those of the configuration file are shown, and can't be changed here."""

    queryset = Filter.objects.all()
    serializer_class = serializers.FilterSerializer
    filterset_fields = ("enabled", "managed_by")
    search_fields = ("name", "jmespath")
    roles: ClassVar[dict[str, Role]] = {"test": Role.VIEWER}

    def perform_create(self, serializer: BaseSerializer[Filter]) -> None:
        serializer.save(managed_by=ManagedBy.OPERATOR)

    @extend_schema(
        request=serializers.FilterTestSerializer, responses=serializers.FilterAnswerSerializer(many=True), filters=False
    )
    @action(detail=False, methods=["post"], pagination_class=None, filter_backends=[])
    def test(self, request: Request) -> Response:
        """Try a query on a pod, container by container, without saving it."""
        asked = serializers.FilterTestSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response(try_filter(asked.validated_data["jmespath"], asked.validated_data["pod"]))


class RegistryViewSet(DeclarableViewSet[Registry]):
    """Registries that images come from and go to. The target, and what the file declares, can't be changed here."""

    queryset = Registry.objects.all()
    serializer_class = serializers.RegistrySerializer
    filterset_fields = ("role", "kind", "enabled", "managed_by")
    search_fields = ("name", "endpoint")

    def perform_create(self, serializer: BaseSerializer[Registry]) -> None:
        serializer.save(role=RegistryRole.SOURCE, managed_by=ManagedBy.OPERATOR)


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
        services.request_settings(repository_ids=[row.pk], requested_by=who(request))
        row.refresh_from_db()
        return Response(self.get_serializer(row).data, status=status.HTTP_202_ACCEPTED)


@method_decorator(conditional_page, name="dispatch")
class StatsView(APIView):
    """The numbers of the last hours."""

    @extend_schema(
        parameters=[OpenApiParameter("hours", int, description="1 to 720; default 24.")],
        responses=serializers.StatsSerializer,
    )
    def get(self, request: Request) -> Response:
        asked = serializers.RangeSerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        return Response(serializers.StatsSerializer(stats(hours=asked.validated_data["hours"])).data)


def _ordered(image: str, request: Request) -> Response:
    job, is_new = order_image(image=image, requested_by=who(request))
    code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
    return Response(serializers.JobSerializer(job).data, status=code)


def _refuse_if_from_file(managed_by: str) -> None:
    if managed_by == ManagedBy.CONFIG:
        raise PermissionDenied("This comes from the configuration file: change it there.")
