"""Clusters that are watched."""

from __future__ import annotations

from rest_framework import serializers

from mirrors.models import Cluster


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
