"""API tokens that users create for themselves."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import ROLE_NAMES, Role
from mirrors.accounts.tokens import DEFAULT_DAYS, MOST_DAYS
from mirrors.api.requests.strict_fields import StrictFields


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    id = serializers.CharField(source="public_id", read_only=True)
    role = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField(source="created", read_only=True)
    expires_at = serializers.DateTimeField(source="expiry", read_only=True, allow_null=True)

    class Meta:
        model = ApiToken
        fields: tuple[str, ...] = ("id", "name", "role", "created_at", "expires_at", "last_used_at")

    @extend_schema_field(serializers.ChoiceField(ROLE_NAMES))
    def get_role(self, row: ApiToken) -> str:
        return Role(row.role).group


class CreatedTokenSerializer(TokenSerializer):
    token = serializers.CharField(read_only=True, help_text="The token. It is in this response only.")

    class Meta(TokenSerializer.Meta):
        fields = (*TokenSerializer.Meta.fields, "token")


class NewTokenSerializer(StrictFields):
    """The API token to create."""

    name = serializers.CharField(max_length=200, help_text="What the token is used for.")
    role = serializers.ChoiceField(choices=ROLE_NAMES, default=Role.VIEWER.group, help_text="At most your own role.")
    expires_in_days = serializers.IntegerField(
        min_value=1,
        max_value=MOST_DAYS,
        allow_null=True,
        default=None,
        help_text=f"Default: {DEFAULT_DAYS}, or until the token of the request expires if that is earlier.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return {"name": attrs["name"], "role": Role[attrs["role"].upper()], "days": attrs["expires_in_days"]}
