"""Running processes."""

from __future__ import annotations

from rest_framework import serializers

from mirrors.models import Instance


class InstanceSerializer(serializers.ModelSerializer[Instance]):
    class Meta:
        model = Instance
        fields = ("id", "role", "name", "facts", "started_at", "seen_at")
