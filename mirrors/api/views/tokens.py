"""API tokens of the current user. The admin lists the tokens of all users."""

from __future__ import annotations

from typing import ClassVar

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status, viewsets
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from mirrors.accounts.roles import Role
from mirrors.accounts.tokens import TokenRefusedError, create_own, own_tokens, revoke_own
from mirrors.api import serializers
from mirrors.api.requests.allowed_values import shortened
from mirrors.api.requests.parameters import KnownParameters

ID = OpenApiParameter("id", str, OpenApiParameter.PATH, description="ID of the token.")


class TokenViewSet(KnownParameters, viewsets.ViewSet):
    """Your own API tokens."""

    roles: ClassVar[dict[str, Role]] = {"create": Role.VIEWER, "destroy": Role.VIEWER}

    @extend_schema(responses=serializers.TokenSerializer(many=True))
    def list(self, request: Request) -> Response:
        """List your tokens, newest first. The secret text of a token is not included."""
        return Response(serializers.TokenSerializer(own_tokens(request._request), many=True).data)

    @extend_schema(request=serializers.NewTokenSerializer, responses={201: serializers.CreatedTokenSerializer})
    def create(self, request: Request) -> Response:
        """Create a token with at most your own role. If you authenticate with a token, the new token has at most the
        role of that token, and expires no later."""
        serializer = serializers.NewTokenSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            row, text = create_own(request._request, **serializer.validated_data)
        except TokenRefusedError as error:
            raise PermissionDenied(str(error)) from error
        row.token = text  # type: ignore[attr-defined]
        return Response(serializers.CreatedTokenSerializer(row).data, status=status.HTTP_201_CREATED)

    @extend_schema(parameters=[ID], responses={204: None})
    def destroy(self, request: Request, pk: str) -> Response:
        """Revoke one of your tokens immediately."""
        if revoke_own(request._request, pk) is None:
            raise NotFound(f"You have no API token with the ID {shortened(pk)}.")
        return Response(status=status.HTTP_204_NO_CONTENT)
