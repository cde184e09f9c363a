"""``POST /api/v1/explain/``: what would happen to a pod. Part of the web process, never of a webhook's."""

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
from mirrors.api.strict_fields import StrictFields
from mirrors.kubernetes.manifests import NAMESPACE, ManifestError, PodManifest, pods_in, read_pods
from swapper_project.config import ConfigError
from webhook.explain.explainer import explain_live


class NotConfiguredError(APIException):
    """This process has no configuration to decide by."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "No configuration."
    default_code = "not-configured"


class ExplainSerializer(StrictFields):
    """A manifest: a Pod or a workload, as text of one or several YAML documents, or as a JSON object."""

    manifest = serializers.JSONField(help_text="YAML text of at most 1 MiB, or the object itself.")
    namespace = serializers.RegexField(NAMESPACE, default="default", help_text="For objects that name none.")


class ExplainedImageSerializer(serializers.Serializer[Any]):
    container = serializers.CharField(help_text="Its name; `volumes/NAME` for an image volume.")
    image = serializers.CharField()
    decision = serializers.ChoiceField([("swap", "swap"), ("keep", "keep")])
    reason = serializers.CharField(help_text="Stays the same over versions.")
    meaning = serializers.CharField(help_text="The reason in words.")
    would = serializers.CharField(allow_null=True, help_text="The reason without dry run or the kill switch.")
    would_meaning = serializers.CharField(allow_blank=True, help_text="That in words.")
    target = serializers.CharField(allow_null=True, help_text="Where its mirror is, or would be.")
    existence = serializers.CharField(allow_null=True, help_text="Whether the target has it: present, absent, unknown.")
    access = serializers.CharField(allow_null=True, help_text="How its source may be read.")
    filter = serializers.CharField(allow_null=True, help_text="The filter that matches.")


class ExplainedPodSerializer(serializers.Serializer[Any]):
    object = serializers.CharField()
    namespace = serializers.CharField()
    images = ExplainedImageSerializer(many=True)
    patch = serializers.ListField(child=serializers.DictField(), help_text="RFC 6902; what would be answered.")
    warnings = serializers.ListField(child=serializers.CharField())
    denied = serializers.CharField(allow_blank=True, help_text="Why the pod would not be admitted; else empty.")


class ExplainView(APIView):
    """What the webhook would do with a pod."""

    roles: ClassVar[dict[str | None, Role]] = {None: Role.VIEWER}

    @extend_schema(request=ExplainSerializer, responses=ExplainedPodSerializer(many=True), operation_id="explain")
    def post(self, request: Request) -> Response:
        """Image by image the decision, its reason and the target, and the patch. Asks database and registries, and
        changes nothing."""
        asked = ExplainSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            pods = _pods(asked.validated_data["manifest"], asked.validated_data["namespace"])
        except ManifestError as error:
            raise serializers.ValidationError({"manifest": [str(error)]}) from error
        try:
            explained = explain_live(pods)
        except ConfigError as error:
            raise NotConfiguredError(f"The web process can't use its configuration: {error}") from error
        return Response([dataclasses.asdict(pod) for pod in explained])


def _pods(manifest: object, namespace: str) -> list[PodManifest]:
    if isinstance(manifest, str):
        return read_pods(manifest, namespace=namespace)
    return pods_in([manifest], namespace=namespace)
