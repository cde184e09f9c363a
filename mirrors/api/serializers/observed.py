"""What was observed, and the numbers made of it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from mirrors.models import (
    HostBudget,
    ImageUse,
    Instance,
    OperatorAction,
    TargetRepository,
)


class ActionSerializer(serializers.ModelSerializer[OperatorAction]):
    class Meta:
        model = OperatorAction
        fields = ("id", "actor", "action", "subject", "details", "mapping", "job", "created_at")


class InstanceSerializer(serializers.ModelSerializer[Instance]):
    class Meta:
        model = Instance
        fields = ("id", "role", "name", "facts", "started_at", "seen_at")


class HealthSerializer(serializers.Serializer[Any]):
    is_healthy = serializers.BooleanField()
    problems = serializers.ListField(child=serializers.CharField(), help_text="What is wrong, and what to do.")
    webhooks = serializers.IntegerField()
    workers = serializers.IntegerField()
    certificate_expires_at = serializers.DateTimeField(allow_null=True)
    oldest_due_seconds = serializers.FloatField()


class UseSerializer(serializers.ModelSerializer[ImageUse]):
    source = serializers.CharField(source="mapping.source", read_only=True)  # type: ignore[assignment]

    class Meta:
        model = ImageUse
        fields = ("id", "mapping", "source", "namespace", "workload_kind", "workload", "first_seen_at", "last_seen_at")


class RepositorySerializer(serializers.ModelSerializer[TargetRepository]):
    class Meta:
        model = TargetRepository
        fields = (
            "id",
            "registry",
            "name",
            "facts",
            "differences",
            "has_differences",
            "pulls_through",
            "problem",
            "apply_requested_at",
            "checked_at",
        )


class HostSerializer(serializers.ModelSerializer[HostBudget]):
    paused_until = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="No copy talks to it until then: it asked us to wait."
    )

    class Meta:
        model = HostBudget
        fields = ("id", "host", "operation", "paused_until", "remaining", "updated_at")


class CoverageSerializer(serializers.Serializer[Any]):
    hours = serializers.IntegerField()
    coverage = serializers.FloatField(allow_null=True)
    before = serializers.FloatField(allow_null=True, help_text="Of as many hours before those.")


class QueueLineSerializer(serializers.Serializer[Any]):
    priority = serializers.IntegerField()
    name = serializers.CharField()
    waiting = serializers.IntegerField()
    running = serializers.IntegerField()
    oldest_due_at = serializers.DateTimeField(allow_null=True, help_text="Since when the oldest due one waits.")


class PointSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    coverage = serializers.FloatField(allow_null=True)
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    bytes_copied = serializers.IntegerField()


class StatsSerializer(serializers.Serializer[Any]):
    """What the dashboard's numbers are."""

    hours = serializers.IntegerField(help_text="The range, up to now.")
    images_admitted = serializers.IntegerField(help_text="Decisions on images that no filter and no opt-out left out.")
    images_from_mirror = serializers.IntegerField()
    coverage = serializers.FloatField(allow_null=True, help_text="Share of them that run from the mirror; 0 to 1.")
    coverages = CoverageSerializer(many=True, help_text="Of the last day and of the last week, whatever the range.")
    jobs = serializers.DictField(child=serializers.IntegerField(), help_text="Pending and running ones, now.")
    queue = QueueLineSerializer(many=True, help_text="Now, the most urgent first.")
    succeeded = serializers.IntegerField()
    failed = serializers.DictField(child=serializers.IntegerField(), help_text="By error class.")
    failed_by_host = serializers.DictField(child=serializers.IntegerField(), help_text="By registry.")
    bytes_copied = serializers.IntegerField()
    resting_hosts = serializers.DictField(child=serializers.DateTimeField(), help_text="Until when, by host.")
    remaining_pulls = serializers.DictField(child=serializers.IntegerField(), help_text="As registries say, by host.")
    webhooks = serializers.IntegerField(help_text="Processes that report themselves.")
    workers = serializers.IntegerField(help_text="The same.")
    certificate_expires_at = serializers.DateTimeField(allow_null=True, help_text="The first of the webhooks' to end.")
    series = PointSerializer(many=True, help_text="An hour each up to 48 hours, else a day each; the oldest first.")


class RangeSerializer(serializers.Serializer[Any]):
    hours = serializers.IntegerField(min_value=1, max_value=720, default=24)
