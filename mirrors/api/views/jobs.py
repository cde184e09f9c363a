"""Jobs. Their actions are implemented in ``mirrors.services``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.utils.decorators import method_decorator
from django.views.decorators.http import conditional_page
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from mirrors import services
from mirrors.accounts.roles import Role
from mirrors.api import serializers
from mirrors.api.filtersets.jobs import JobFilter
from mirrors.api.requests.current_user import username_of
from mirrors.api.requests.no_fields import rejects_body
from mirrors.api.requests.parameters import KnownParameters
from mirrors.api.views.job_responses import job_response, job_response_of
from mirrors.models import MirrorAttempt, MirrorJob
from mirrors.selectors.jobs.job_progress import NOT_BEGUN, copy_progress
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS
from swapper_project.process import configured

SHOWN_ATTEMPTS = 100
"""The most attempts in one response, the last ones. A job has up to five, or more if many workers were lost."""


@method_decorator(conditional_page, name="dispatch")
class JobViewSet(KnownParameters, mixins.CreateModelMixin, viewsets.ReadOnlyModelViewSet[MirrorJob]):
    """Jobs, each of which copies, compares or verifies one image. Finished jobs never change: a retry is a new job."""

    queryset = MirrorJob.objects.select_related("mapping")
    serializer_class = serializers.JobSerializer
    filterset_class = JobFilter
    search_fields = SEARCH_FIELDS[MirrorJob]
    ordering_fields = ("id", "created_at", "finished_at")
    roles: ClassVar[dict[str, Role]] = dict.fromkeys(
        ("create", "retry", "cancel", "priority", "retry_failed"), Role.OPERATOR
    )

    @extend_schema(
        request=PolymorphicProxySerializer(
            "ImageOrBatch",
            [serializers.ImageToMirrorSerializer, serializers.ImageBatchSerializer],
            resource_type_field_name=None,
        ),
        responses={
            200: serializers.JobSerializer,
            201: serializers.JobSerializer,
            207: serializers.ImageBatchResultSerializer,
        },
    )
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Mirror an image now. If the image has an active job, that job is returned. To mirror several images, send
        `images`: the response is a 207 with a result for each image."""
        body: Any = request.data
        if isinstance(body, dict) and "images" in body:
            return _request_images(request)
        serializer = serializers.ImageToMirrorSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return _request_image(serializer.validated_data["image"], request)

    @extend_schema(request=None, responses={200: serializers.JobSerializer, 201: serializers.JobSerializer})
    @action(detail=True, methods=["post"])
    @rejects_body
    def retry(self, request: Request, pk: str) -> Response:
        """Retry the job as a new job. If the image has an active job, that job is returned."""
        job = self.get_object()
        if job.status in MirrorJob.ACTIVE:
            return job_response(job, is_new=False)
        return job_response_of(services.retry_jobs(job_ids=[job.pk], requested_by=username_of(request)))

    @extend_schema(request=None)
    @action(detail=True, methods=["post"])
    @rejects_body
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel a job: a queued one immediately, a running one at its worker's next heartbeat."""
        job = services.cancel_job(job_id=self.get_object().pk, requested_by=username_of(request))
        return Response(self.get_serializer(job).data)

    @extend_schema(request=serializers.PrioritySerializer, responses=serializers.JobSerializer)
    @action(detail=True, methods=["post"])
    def priority(self, request: Request, pk: str) -> Response:
        """Change the priority of a queued job."""
        serializer = serializers.PrioritySerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        job = services.set_priority(
            job_id=self.get_object().pk,
            priority=serializer.validated_data["priority"],
            requested_by=username_of(request),
        )
        return Response(self.get_serializer(job).data)

    @extend_schema(request=serializers.RetryFailedSerializer, responses=serializers.RetriedSerializer)
    @action(detail=False, methods=["post"], url_path="retry-failed", filter_backends=[], pagination_class=None)
    def retry_failed(self, request: Request) -> Response:
        """Retry the images whose last job failed with this error, oldest first, at most 2000 per request."""
        serializer = serializers.RetryFailedSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        result = services.retry_failed(**serializer.validated_data, requested_by=username_of(request))
        response = {"jobs": [job.pk for job in result.jobs], "refusals": result.refusals}
        return Response(serializers.RetriedSerializer(response).data)

    @extend_schema(responses=serializers.AttemptSerializer(many=True), filters=False)
    @action(detail=True, pagination_class=None, filter_backends=[])
    def attempts(self, request: Request, pk: str) -> Response:
        """List the attempts of a job with their logs; at most the last 100."""
        newest = MirrorAttempt.objects.filter(job=self.get_object()).order_by("-number")[:SHOWN_ATTEMPTS]
        return Response(serializers.AttemptSerializer(list(reversed(newest)), many=True).data)

    @extend_schema(responses=serializers.ProgressSerializer)
    @action(detail=True)
    def progress(self, request: Request, pk: str) -> Response:
        """Return the progress of a running copy in bytes and blobs. It is updated twice a second."""
        job: MirrorJob = self.get_object()
        current_progress = copy_progress(job)
        return Response(serializers.ProgressSerializer(current_progress or NOT_BEGUN).data)


def _request_image(image: str, request: Request) -> Response:
    job, is_new = services.request_image(image=image, requested_by=username_of(request), allowed_hosts=_allowed_hosts())
    return job_response(job, is_new=is_new)


def _request_images(request: Request) -> Response:
    serializer = serializers.ImageBatchSerializer(data=request.data)
    serializer.is_valid(raise_exception=True)
    results = services.request_batch(
        images=serializer.validated_data["images"], requested_by=username_of(request), allowed_hosts=_allowed_hosts()
    )
    return Response(
        serializers.ImageBatchResultSerializer({"results": results}).data, status=status.HTTP_207_MULTI_STATUS
    )


def _allowed_hosts() -> Sequence[str]:
    config_source = configured.source()
    return config_source.current.source.allowed_hosts if config_source else ()
