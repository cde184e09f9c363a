"""Rate limits of hosts."""

from __future__ import annotations

from rest_framework import serializers

from mirrors.models import HostBudget


class HostSerializer(serializers.ModelSerializer[HostBudget]):
    paused_until = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Rate limited: copies send no requests to the host until then."
    )

    class Meta:
        model = HostBudget
        fields = ("id", "host", "operation", "paused_until", "remaining", "updated_at")
