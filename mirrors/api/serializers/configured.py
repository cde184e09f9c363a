"""Filters and registries. No field ever holds a credential, only its reference."""

from __future__ import annotations

import copy
from typing import Any

from django.core.exceptions import ValidationError
from rest_framework import serializers

from mirrors.filter_quotes import quotes_warning
from mirrors.models import (
    Filter,
    Registry,
    RegistryCheck,
)
from mirrors.strict_fields import StrictFields


class FilterSerializer(StrictFields, serializers.ModelSerializer[Filter]):
    """A query for images that are left alone."""

    warning = serializers.SerializerMethodField(
        help_text="Why the query is probably not what is meant: text in double quotes is a field's name. Else empty."
    )

    class Meta:
        model = Filter
        fields = ("id", "name", "jmespath", "warning", "position", "enabled", "managed_by", "created_at", "updated_at")
        read_only_fields = ("managed_by",)

    def get_warning(self, row: Filter) -> str:
        return quotes_warning(row.jmespath)


class RegistrySerializer(StrictFields, serializers.ModelSerializer[Registry]):
    """Where images come from, or go to."""

    class Meta:
        model = Registry
        fields = (
            "id",
            "name",
            "role",
            "kind",
            "endpoint",
            "prefix",
            "username",
            "credential_ref",
            "insecure",
            "ca_file",
            "enabled",
            "managed_by",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("role", "kind", "prefix", "managed_by")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """As the model itself checks it."""
        row = copy.copy(self.instance) if isinstance(self.instance, Registry) else Registry()
        for name, value in attrs.items():
            setattr(row, name, value)
        try:
            row.clean()
        except ValidationError as error:
            raise serializers.ValidationError(error.message_dict) from error
        return {**attrs, "endpoint": row.endpoint}


class StepSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    status = serializers.CharField(help_text="ok, failed or skipped")
    words = serializers.CharField()
    seconds = serializers.FloatField(required=False)


class CheckSerializer(serializers.ModelSerializer[RegistryCheck]):
    steps = StepSerializer(many=True, read_only=True)

    class Meta:
        model = RegistryCheck
        fields = ("id", "registry", "status", "steps", "requested_by", "created_at", "started_at", "finished_at")
