"""Clusters that are watched, and their nodes."""

from __future__ import annotations

from rest_framework import serializers

from mirrors.models import Cluster, ClusterNode


class ClusterSerializer(serializers.ModelSerializer[Cluster]):
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
        )


class ClusterNodeSerializer(serializers.ModelSerializer[ClusterNode]):
    class Meta:
        model = ClusterNode
        fields = ("id", "cluster", "name", "platform", "ready", "pulled_at")
