"""Watched clusters, and their nodes."""

from __future__ import annotations

from rest_framework import serializers

from mirrors.models import Cluster, ClusterNode


class ClusterSerializer(serializers.ModelSerializer[Cluster]):
    is_stale = serializers.BooleanField(
        read_only=True,
        help_text="Whether its watcher has not reported for five minutes, so that its data is stale.",
    )

    class Meta:
        model = Cluster
        fields = (
            "id",
            "name",
            "version",
            "pods",
            "nodes",
            "platforms",
            "namespaces",
            "problem",
            "listed_at",
            "seen_at",
            "is_stale",
        )


class ClusterNodeSerializer(serializers.ModelSerializer[ClusterNode]):
    class Meta:
        model = ClusterNode
        fields = ("id", "cluster", "name", "platform", "ready", "pulled_at")
