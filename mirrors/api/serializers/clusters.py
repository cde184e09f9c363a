"""Clusters that are watched."""

from __future__ import annotations

from rest_framework import serializers

from mirrors.models import Cluster


class ClusterSerializer(serializers.ModelSerializer[Cluster]):
    is_stale = serializers.BooleanField(
        read_only=True,
        help_text="Whether its watcher has not reported for five minutes, so that numbers are old.",
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
