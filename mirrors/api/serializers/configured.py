"""Filters and registries. Fields never hold a secret, only a reference to it."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from rest_framework import serializers

from mirrors.api.strict_fields import StrictFields
from mirrors.filters.quotes import quotes_warning
from mirrors.models import (
    Filter,
    Registry,
    RegistryCheck,
)
from mirrors.models.registry import CREDENTIALS, CREDENTIALS_DROPPED, MOST_NAMESPACES, validate_namespaces


class CheckedAsModel(StrictFields):
    """Validated by the model, including uniqueness: DRF's own ``validators`` see the values as they were sent, before
    the
    model normalises host names."""

    model: type[Filter] | type[Registry]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        row: Any = copy.copy(self.instance) if isinstance(self.instance, self.model) else self.model()
        for name, value in attrs.items():
            setattr(row, name, value)
        try:
            return {**attrs, **self.checked(row, attrs)}
        except ValidationError as error:
            messages = error.message_dict
            if general := messages.pop(NON_FIELD_ERRORS, None):
                messages[self.unique_field] = general
            raise serializers.ValidationError(messages) from error

    unique_field = "name"

    def checked(self, row: Any, attrs: dict[str, Any]) -> dict[str, Any]:
        """Raises Django's ValidationError; returns other values to store."""
        row.clean()
        row.validate_constraints()
        return {}


class FilterSerializer(CheckedAsModel, serializers.ModelSerializer[Filter]):
    """A filter: images for which it is true are excluded from mirroring and swapping."""

    model = Filter

    warning = serializers.SerializerMethodField(
        help_text="Why the expression is probably a mistake (text in double quotes is a field name), or empty."
    )

    class Meta:
        model = Filter
        fields = ("id", "name", "jmespath", "warning", "position", "enabled", "managed_by", "created_at", "updated_at")
        read_only_fields = ("managed_by",)
        validators: ClassVar[list[Any]] = []

    def get_warning(self, row: Filter) -> str:
        return quotes_warning(row.jmespath)


class RegistrySerializer(CheckedAsModel, serializers.ModelSerializer[Registry]):
    """A source or target registry."""

    model = Registry
    unique_field = "endpoint"
    namespaces = serializers.ListField(
        child=serializers.CharField(max_length=63),
        required=False,
        max_length=MOST_NAMESPACES,
        help_text="Namespaces that may use private images read with them; `*` for all. Empty: public images only.",
    )
    notice = serializers.SerializerMethodField(help_text="Side effect of a change, or empty.")
    _notice = ""

    def get_notice(self, row: Registry) -> str:
        return self._notice

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
            "namespaces",
            "insecure",
            "ca_file",
            "enabled",
            "managed_by",
            "created_at",
            "updated_at",
            "notice",
        )
        read_only_fields = ("role", "kind", "prefix", "managed_by")
        validators: ClassVar[list[Any]] = []

    def validate_namespaces(self, names: list[str]) -> list[str]:
        validate_namespaces(names)
        return names

    def checked(self, row: Registry, attrs: dict[str, Any]) -> dict[str, Any]:
        is_dropped = row.drop_credentials_of_former_host(given=attrs)
        super().checked(row, attrs)
        self._notice = CREDENTIALS_DROPPED if is_dropped else ""
        return {"endpoint": row.endpoint, **{name: getattr(row, name) for name in CREDENTIALS}}


class FilterInForceSerializer(serializers.ModelSerializer[Filter]):
    """An active filter, which may not have a row in the database."""

    class Meta:
        model = Filter
        fields = ("name", "jmespath", "position", "managed_by")
        read_only_fields = fields


class RegistryInForceSerializer(serializers.ModelSerializer[Registry]):
    """An active registry, which may not have a row in the database."""

    role = serializers.CharField(read_only=True, help_text="source or target")
    kind = serializers.CharField(read_only=True, help_text="aws, gcp or oci")
    namespaces = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Registry
        fields = (
            "name",
            "role",
            "kind",
            "endpoint",
            "prefix",
            "username",
            "credential_ref",
            "namespaces",
            "insecure",
            "ca_file",
            "managed_by",
        )
        read_only_fields = fields


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
