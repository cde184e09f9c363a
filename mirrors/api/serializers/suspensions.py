"""Targets that nodes cannot pull from, and restart loops."""

from __future__ import annotations

from rest_framework import serializers

from mirrors.models import RestartLoop, TargetHealth
from mirrors.selectors.clusters.pull_failures import pull_advice
from mirrors.vocabulary.pull_causes import PullSide


class TargetHealthSerializer(serializers.ModelSerializer[TargetHealth]):
    nodes = serializers.ListField(child=serializers.CharField(), read_only=True, help_text="Nodes that could not pull.")
    advice = serializers.SerializerMethodField()

    class Meta:
        model = TargetHealth
        fields = (
            "id",
            "cluster",
            "registry",
            "state",
            "cause",
            "message",
            "advice",
            "nodes",
            "began_at",
            "changed_at",
        )

    def get_advice(self, row: TargetHealth) -> str:
        return pull_advice(row.cause, PullSide.TARGET) if row.state in TargetHealth.DISTURBED else ""


class RestartLoopSerializer(serializers.ModelSerializer[RestartLoop]):
    class Meta:
        model = RestartLoop
        fields = (
            "id",
            "cluster",
            "namespace",
            "workload_kind",
            "workload",
            "source",
            "image",
            "count",
            "detected_at",
            "expires_at",
            "released_at",
        )
