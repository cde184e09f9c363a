"""What the system records, and statistics of it."""

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
    problems = serializers.ListField(child=serializers.CharField(), help_text="What is wrong, and how to fix it.")
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


class CoverageSerializer(serializers.Serializer[Any]):
    hours = serializers.IntegerField()
    coverage = serializers.FloatField(allow_null=True)
    before = serializers.FloatField(allow_null=True, help_text="Coverage of the period of the same length before.")


class QueueLineSerializer(serializers.Serializer[Any]):
    priority = serializers.IntegerField()
    name = serializers.CharField()
    waiting = serializers.IntegerField()
    running = serializers.IntegerField()
    oldest_due_at = serializers.DateTimeField(
        allow_null=True, help_text="When the oldest job that can start now became due."
    )


class PointSerializer(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    coverage = serializers.FloatField(allow_null=True)
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField()
    bytes_copied = serializers.IntegerField()


class StatsSerializer(serializers.Serializer[Any]):
    """The statistics of the dashboard."""

    hours = serializers.IntegerField(help_text="Length of the time range that ends now.")
    images_admitted = serializers.IntegerField(
        help_text="Decisions on images, without images excluded by a filter or an opt-out."
    )
    images_from_mirror = serializers.IntegerField()
    coverage = serializers.FloatField(
        allow_null=True, help_text="Share of these images that run from the mirror; 0 to 1."
    )
    coverages = CoverageSerializer(
        many=True, help_text="Coverage of the last 24 hours and the last 7 days, for any range."
    )
    jobs = serializers.DictField(child=serializers.IntegerField(), help_text="Number of pending and running jobs now.")
    queue = QueueLineSerializer(many=True, help_text="The queue now, highest priority first.")
    succeeded = serializers.IntegerField()
    failed = serializers.DictField(child=serializers.IntegerField(), help_text="Failed jobs by error class.")
    failed_by_host = serializers.DictField(child=serializers.IntegerField(), help_text="Failed jobs by registry.")
    bytes_copied = serializers.IntegerField()
    resting_hosts = serializers.DictField(
        child=serializers.DateTimeField(), help_text="End of the rate limit, by host."
    )
    remaining_pulls = serializers.DictField(
        child=serializers.IntegerField(), help_text="Remaining pulls as reported by registries, by host."
    )
    webhooks = serializers.IntegerField(help_text="Running webhook processes.")
    workers = serializers.IntegerField(help_text="Running worker processes.")
    certificate_expires_at = serializers.DateTimeField(
        allow_null=True, help_text="Earliest expiry of the webhooks' certificates."
    )
    series = PointSerializer(many=True, help_text="One point per hour up to 48 hours, else one per day; oldest first.")


class RangeSerializer(serializers.Serializer[Any]):
    hours = serializers.IntegerField(min_value=1, max_value=720, default=24)
