"""Tokens that users create for themselves; those of all users are in the admin."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import mixins, status, viewsets
from rest_framework.exceptions import NotFound, PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import Role
from mirrors.accounts.tokens import TokenRefusedError, create_own, own_tokens, revoke_own
from mirrors.api import serializers
from mirrors.api.pagination import Pages
from mirrors.api.requests.allowed_values import shortened
from mirrors.api.requests.parameters import KnownParameters


class NewestFirst(Pages):
    """Keys of tokens are digests, which have no order."""

    ordering = "-created"


ID = OpenApiParameter("id", str, OpenApiParameter.PATH, description="ID of the token.")


class TokenViewSet(KnownParameters, mixins.ListModelMixin, viewsets.GenericViewSet[ApiToken]):
    """Your own API tokens."""

    serializer_class = serializers.TokenSerializer
    filter_backends = ()
    pagination_class = NewestFirst
    roles: ClassVar[dict[str, Role]] = {"create": Role.VIEWER, "destroy": Role.VIEWER}

    def get_queryset(self) -> QuerySet[ApiToken]:
        return own_tokens(self.request._request)

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Your tokens, newest first, without the tokens themselves."""
        return super().list(request, *args, **kwargs)

    @extend_schema(request=serializers.NewTokenSerializer, responses={201: serializers.CreatedTokenSerializer})
    def create(self, request: Request) -> Response:
        """Create a token within your own role. With a token: within the role of that token, expiring no later than
        it."""
        asked = serializers.NewTokenSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            row, text = create_own(request._request, **asked.validated_data)
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
