"""Saved filters and active filters."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

from mirrors.api.serializers.declarable import CheckedAsModel
from mirrors.filters.warnings import filter_warning
from mirrors.models import Filter


class FilterSerializer(CheckedAsModel, serializers.ModelSerializer[Filter]):
    """A filter. Images for which its expression is true are excluded from mirroring and swapping."""

    model = Filter

    warning = serializers.SerializerMethodField(
        help_text="Why the expression is probably a mistake (text in double quotes is a field name), or that its "
        "cluster is unknown; otherwise empty."
    )

    class Meta:
        model = Filter
        fields = (
            "id",
            "name",
            "jmespath",
            "warning",
            "position",
            "enabled",
            "cluster",
            "managed_by",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("managed_by",)
        validators: ClassVar[list[Any]] = []

    def get_warning(self, row: Filter) -> str:
        return " ".join(filter(None, (filter_warning(row.jmespath), self.cluster_warning(row))))


class FilterInForceSerializer(serializers.ModelSerializer[Filter]):
    """An active filter. A filter of the configuration file can be active without a row in the database."""

    class Meta:
        model = Filter
        fields = ("name", "jmespath", "position", "cluster", "managed_by")
        read_only_fields = fields
