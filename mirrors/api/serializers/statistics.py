"""Statistics, and the health of the installation."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from mirrors.api.requests.allowed_values import no_cluster
from mirrors.api.requests.strict_fields import StrictFields
from mirrors.selectors.queries.known_clusters import known_clusters
from mirrors.vocabulary.clusters import CLUSTER_LENGTH


class HealthSerializer(serializers.Serializer[Any]):
    is_healthy = serializers.BooleanField()
    problems = serializers.ListField(child=serializers.CharField(), help_text="What is wrong, and how to fix it.")
    webhooks = serializers.IntegerField()
    workers = serializers.IntegerField()
    certificate_expires_at = serializers.DateTimeField(allow_null=True)
    oldest_due_seconds = serializers.FloatField()


class CoverageSerializer(serializers.Serializer[Any]):
    hours = serializers.IntegerField()
    coverage = serializers.FloatField(allow_null=True)
    before = serializers.FloatField(allow_null=True, help_text="Coverage of the preceding period of the same length.")


class QueueLineSerializer(serializers.Serializer[Any]):
    priority = serializers.IntegerField()
    name = serializers.CharField()
    waiting = serializers.IntegerField()
    running = serializers.IntegerField()
    oldest_due_at = serializers.DateTimeField(
        allow_null=True, help_text="When the oldest job that can start now became due."
    )
    next_attempt_at = serializers.DateTimeField(
        allow_null=True,
        help_text="When the first job can start, if none can now. Null: all wait for a rate limit.",
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
        help_text="Decisions on images, without excluded images and images in their first pod."
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


class RangeSerializer(StrictFields):
    hours = serializers.IntegerField(min_value=1, max_value=720, default=24)
    cluster = serializers.CharField(max_length=CLUSTER_LENGTH, default="", allow_blank=True)

    def validate_cluster(self, value: str) -> str:
        if value and value not in (known_names := known_clusters()):
            raise serializers.ValidationError(no_cluster(value, known_names))
        return value
