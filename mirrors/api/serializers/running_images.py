"""Images that run in clusters."""

from __future__ import annotations

from rest_framework import serializers

from mirrors.models import RunningImage


class RunningImageSerializer(serializers.ModelSerializer[RunningImage]):
    mirrored = serializers.BooleanField(
        source="is_mirrored", read_only=True, help_text="Whether a target is known to have the original image."
    )

    class Meta:
        model = RunningImage
        fields = (
            "id",
            "cluster",
            "namespace",
            "workload_kind",
            "workload",
            "source",
            "image",
            "digest",
            "pods",
            "nodes",
            "in_template",
            "state",
            "mirrored",
            "first_seen_at",
            "last_seen_at",
        )
