"""``POST /api/v1/explain/``: explain a pod. It runs in the web process, not in the webhook."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from mirrors.accounts.roles import Role
from mirrors.api.requests.parameters import KnownParameters
from mirrors.api.requests.strict_fields import StrictFields
from mirrors.kubernetes.objects.pod_manifests import NAMESPACE_PATTERN, ManifestError, PodManifest, pods_in, read_pods
from swapper_project.config import ConfigError
from webhook.explain.explainer import explain_live


class NotConfiguredError(APIException):
    """This process has no usable configuration."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "No configuration."
    default_code = "not-configured"


class ExplainSerializer(StrictFields):
    """A manifest: a Pod or a workload, as text of one or several YAML documents, or as a JSON object."""

    manifest = serializers.JSONField(help_text="YAML text of at most 1 MiB, or the object itself.")
    namespace = serializers.RegexField(
        NAMESPACE_PATTERN, default="default", help_text="Used for objects without a namespace."
    )


class LastErrorSerializer(serializers.Serializer[Any]):
    job = serializers.IntegerField(help_text="ID of the failed job.")
    error_class = serializers.CharField()
    error_message = serializers.CharField()
    error_host = serializers.CharField(help_text="Registry at which the job failed.")
    advice = serializers.CharField(help_text="How to fix the error, if `error_message` does not explain it.")


class ExplainedImageSerializer(serializers.Serializer[Any]):
    container = serializers.CharField(help_text="Name of the container; `volumes/NAME` for an image volume.")
    image = serializers.CharField()
    decision = serializers.ChoiceField([("swap", "swap"), ("keep", "keep")])
    reason = serializers.CharField(help_text="Stable across versions.")
    meaning = serializers.CharField(help_text="Meaning of the reason.")
    would = serializers.CharField(
        allow_null=True, help_text="Reason that would apply without dry run or the kill switch."
    )
    would_meaning = serializers.CharField(allow_blank=True, help_text="Meaning of that reason.")
    target = serializers.CharField(allow_null=True, help_text="Reference of the mirror, also if it does not exist yet.")
    existence = serializers.CharField(
        allow_null=True, help_text="Whether the target has the image: present, absent, unknown."
    )
    access = serializers.CharField(allow_null=True, help_text="How the source can be read.")
    filter = serializers.CharField(allow_null=True, help_text="The filter that matches.")
    last_error = LastErrorSerializer(allow_null=True, help_text="Why the target does not have the image, if known.")


class ExplainedPodSerializer(serializers.Serializer[Any]):
    object = serializers.CharField()
    namespace = serializers.CharField()
    images = ExplainedImageSerializer(many=True)
    patch = serializers.ListField(child=serializers.DictField(), help_text="The JSON patch (RFC 6902) of the response.")
    warnings = serializers.ListField(child=serializers.CharField())
    denied = serializers.CharField(allow_blank=True, help_text="Why the pod would be denied, or empty.")


class ExplainView(KnownParameters, APIView):
    """Explain what the webhook would do with a pod."""

    roles: ClassVar[dict[str | None, Role]] = {None: Role.VIEWER}

    @extend_schema(request=ExplainSerializer, responses=ExplainedPodSerializer(many=True), operation_id="explain")
    def post(self, request: Request) -> Response:
        """Returns the decision, its reason and the target for each image, and the patch. Reads the database and asks
        registries; changes nothing."""
        serializer = ExplainSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            pods = _pods(serializer.validated_data["manifest"], serializer.validated_data["namespace"])
        except ManifestError as error:
            raise serializers.ValidationError({"manifest": [str(error)]}) from error
        try:
            explained = explain_live(pods)
        except ConfigError as error:
            raise NotConfiguredError(f"The configuration of the web process is not valid: {error}") from error
        return Response([dataclasses.asdict(pod) for pod in explained])


def _pods(manifest: object, namespace: str) -> list[PodManifest]:
    if isinstance(manifest, str):
        return read_pods(manifest, namespace=namespace)
    return pods_in([manifest], namespace=namespace)
