"""Readiness: the fire drill, and requests for copies of the images that it found missing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from mirrors.accounts.roles import Role
from mirrors.api import serializers
from mirrors.api.problem_details import ConflictError
from mirrors.api.requests.current_user import username_of
from mirrors.api.requests.parameters import KnownParameters
from mirrors.readiness.drill import DrillRequest, NotListedError
from mirrors.readiness.drill_results import Drill
from mirrors.readiness.missing_images import mirror_missing
from mirrors.readiness.recent import recent_drill
from mirrors.readiness.registry_names import RegistryNameError
from swapper_project.config import Config
from swapper_project.process import configured


class ReadinessView(KnownParameters, APIView):
    """Return which workloads could start on a new node if a registry could not be reached now."""

    query_parameters = tuple(serializers.ReadinessQuerySerializer().fields)

    @extend_schema(parameters=[serializers.ReadinessQuerySerializer], responses=serializers.ReadinessSerializer)
    def get(self, request: Request) -> Response:
        query = serializers.ReadinessQuerySerializer(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        parameters = query.validated_data
        drill = _drill(_config(), parameters)
        serializer = serializers.ReadinessSerializer({**drill.as_json(), **_lists(drill, parameters)})
        return Response(serializer.data)


class MirrorMissingView(KnownParameters, APIView):
    """Mirror missing images."""

    roles: ClassVar[dict[str | None, Role]] = {None: Role.OPERATOR}

    @extend_schema(request=serializers.MirrorMissingSerializer, responses=serializers.MissingMirroredSerializer)
    def post(self, request: Request) -> Response:
        """Request copies of the images that a copy would protect, at most 2000 per request."""
        serializer = serializers.MirrorMissingSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        config = _config()
        result = mirror_missing(_drill(config, serializer.validated_data), config, requested_by=username_of(request))
        found = {
            "requested": result.created,
            "active": result.active,
            "left": result.remaining,
            "refusals": result.refusals,
        }
        return Response(serializers.MissingMirroredSerializer(found).data)


def _config() -> Config:
    source = configured.source()
    if source is None:
        raise ConflictError("This process has no usable configuration.", code="not-configured")
    return source.current


def _drill(config: Config, parameters: dict[str, Any]) -> Drill:
    drill_request = DrillRequest(
        cluster=parameters["cluster"] or config.cluster_name,
        without=parameters["without"],
        namespace=parameters["namespace"],
        max_age=parameters.get("max_age"),
        allows_change=parameters.get("allow_changes", False),
    )
    try:
        return recent_drill(drill_request, config)
    except NotListedError as error:
        raise ConflictError(str(error), code="not-listed") from error
    except RegistryNameError as error:
        raise ValidationError({"without": [str(error)]}) from error


def _lists(drill: Drill, parameters: dict[str, Any]) -> dict[str, Any]:
    """Return one page of the missing images, or of the images with digest drift."""
    rows: list[Any] = list(drill.drift) if parameters["drift"] else list(drill.missing_of(gap=parameters["reason"]))
    start = (parameters["page"] - 1) * parameters["page_size"]
    shown = [row.as_json() for row in rows[start : start + parameters["page_size"]]]
    return {
        "taken_at": datetime.fromtimestamp(drill.taken_at, UTC),
        "count": len(rows),
        "missing": [] if parameters["drift"] else shown,
        "drift": shown if parameters["drift"] else [],
    }
