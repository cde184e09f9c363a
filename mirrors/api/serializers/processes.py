"""Running processes."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from mirrors.models import Instance
from mirrors.selectors.overview.current_state import SEEN_WITHIN


class InstanceSerializer(serializers.ModelSerializer[Instance]):
    state = serializers.SerializerMethodField(help_text="Whether the process reports itself: running or stopped.")

    @extend_schema_field(serializers.ChoiceField([("running", "running"), ("stopped", "stopped")]))
    def get_state(self, row: Instance) -> str:
        return "running" if timezone.now() - row.seen_at <= SEEN_WITHIN[row.role] else "stopped"

    class Meta:
        model = Instance
        fields = ("id", "role", "cluster", "name", "state", "facts", "started_at", "seen_at")
