"""Registries and their connection tests. Fields never contain a secret, only a reference to it."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

from mirrors.api.serializers.declarable import CheckedAsModel
from mirrors.models import Registry, RegistryCheck
from mirrors.models.configuration.registries import (
    CREDENTIALS,
    CREDENTIALS_CLEARED,
    MOST_NAMESPACES,
    validate_namespaces,
)
from mirrors.vocabulary.clusters import CLUSTER_NAMESPACE_LENGTH

CONNECTION_FIELDS = (
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
)
"""Fields that identify a registry and describe how it is reached, both of a saved and of an active registry."""


class RegistrySerializer(CheckedAsModel, serializers.ModelSerializer[Registry]):
    """A source or target registry."""

    model = Registry
    unique_field = "endpoint"
    namespaces = serializers.ListField(
        child=serializers.CharField(max_length=CLUSTER_NAMESPACE_LENGTH),
        required=False,
        max_length=MOST_NAMESPACES,
        help_text="Namespaces that may use private images read with these credentials; CLUSTER/NAMESPACE for a "
        "namespace of one cluster; `*` for all. Empty: public images only.",
    )
    warning = serializers.SerializerMethodField(help_text="Clusters of this row that are unknown, or empty.")
    notice = serializers.SerializerMethodField(help_text="Side effect of a change, or empty.")
    _notice = ""

    def get_warning(self, row: Registry) -> str:
        return self.cluster_warning(row)

    def get_notice(self, row: Registry) -> str:
        return self._notice

    class Meta:
        model = Registry
        fields = (
            "id",
            *CONNECTION_FIELDS,
            "enabled",
            "cluster",
            "warning",
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
        is_dropped = row.clear_credentials_of_former_host(provided=attrs)
        super().checked(row, attrs)
        self._notice = CREDENTIALS_CLEARED if is_dropped else ""
        return {"endpoint": row.endpoint, **{name: getattr(row, name) for name in CREDENTIALS}}


class RegistryInForceSerializer(serializers.ModelSerializer[Registry]):
    """An active registry. A registry of the configuration file can be active without a row in the database."""

    role = serializers.CharField(read_only=True, help_text="source or target")
    kind = serializers.CharField(read_only=True, help_text="aws, gcp or oci")
    namespaces = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = Registry
        fields = (*CONNECTION_FIELDS, "cluster", "managed_by")
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
