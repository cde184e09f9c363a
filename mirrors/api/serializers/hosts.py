"""Rate limits of registry hosts."""

from __future__ import annotations

from rest_framework import serializers

from mirrors.models import HostBudget


class HostSerializer(serializers.ModelSerializer[HostBudget]):
    paused_until = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Rate limited: copies send no requests to the host until then."
    )
    low_priority_until = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Copies of `waiting_priorities` wait for the host until then."
    )
    waiting_priorities = serializers.ListField(
        child=serializers.CharField(), read_only=True, help_text="Priorities whose copies wait now."
    )

    class Meta:
        model = HostBudget
        fields = (
            "id",
            "host",
            "credential",
            "operation",
            "per_second",
            "paused_until",
            "low_priority_until",
            "waiting_priorities",
            "remaining",
            "pull_limit",
            "updated_at",
        )
