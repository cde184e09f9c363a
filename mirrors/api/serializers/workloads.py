"""Workloads that use mirrored images."""

from __future__ import annotations

from rest_framework import serializers

from mirrors.models import ImageUse


class UseSerializer(serializers.ModelSerializer[ImageUse]):
    source = serializers.CharField(source="mapping.source", read_only=True)  # type: ignore[assignment]

    class Meta:
        model = ImageUse
        fields = (
            "id",
            "mapping",
            "source",
            "cluster",
            "namespace",
            "workload_kind",
            "workload",
            "first_seen_at",
            "last_seen_at",
        )
