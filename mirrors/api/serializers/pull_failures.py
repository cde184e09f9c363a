"""Images that nodes cannot pull."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from mirrors.models import PullFailure
from mirrors.selectors.clusters.pull_failures import pull_advice, restart_commands


class FailingPodSerializer(serializers.Serializer[Any]):
    namespace = serializers.CharField()
    kind = serializers.CharField(help_text="Kind of the workload; empty for a standalone pod.")
    name = serializers.CharField(help_text="Name of the workload.")
    pod = serializers.CharField()
    node = serializers.CharField(help_text="Empty while the pod is not scheduled.")


class PullFailureSerializer(serializers.ModelSerializer[PullFailure]):
    namespaces = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Some of the namespaces with failing pods."
    )
    samples = FailingPodSerializer(many=True, read_only=True, help_text="Some of the failing pods.")
    would_start = serializers.BooleanField(
        read_only=True,
        help_text="Whether a new pod would start from the mirror; `commands` lists commands that create one.",
    )
    commands = serializers.SerializerMethodField()
    advice = serializers.SerializerMethodField()

    class Meta:
        model = PullFailure
        fields = (
            "id",
            "cluster",
            "image",
            "source",
            "at",
            "cause",
            "message",
            "advice",
            "pods",
            "nodes",
            "namespaces",
            "samples",
            "is_mirrored",
            "would_start",
            "commands",
            "asked_at",
            "first_seen_at",
            "last_seen_at",
        )

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_commands(self, row: PullFailure) -> list[str]:
        return restart_commands(row)

    def get_advice(self, row: PullFailure) -> str:
        return pull_advice(row.cause, row.at)
