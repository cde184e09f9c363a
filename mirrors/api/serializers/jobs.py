"""Jobs with their attempts and progress, and the requests on them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from mirrors.api.strict_fields import NamedChoiceField, StrictFields
from mirrors.images import ImageRef, InvalidReferenceError
from mirrors.models import ErrorClass, MirrorAttempt, MirrorJob, Priority
from mirrors.selectors.advice import next_step


class BlobProgressSerializer(serializers.Serializer[Any]):
    digest = serializers.CharField()
    size = serializers.IntegerField()
    sent = serializers.IntegerField()


class ProgressSerializer(serializers.Serializer[Any]):
    """Progress of the last attempt, in bytes of blobs."""

    bytes_total = serializers.IntegerField()
    bytes_done = serializers.IntegerField(help_text="Copied, mounted, or already at the target.")
    bytes_copied = serializers.IntegerField()
    bytes_mounted = serializers.IntegerField()
    bytes_skipped = serializers.IntegerField()
    blobs_total = serializers.IntegerField()
    blobs_done = serializers.IntegerField()
    moving = BlobProgressSerializer(many=True, help_text="Blobs in transfer, largest first.")
    bytes_per_second = serializers.FloatField()
    seconds_left = serializers.FloatField(allow_null=True)


class JobSerializer(serializers.ModelSerializer[MirrorJob]):
    source = serializers.CharField(source="mapping.source", read_only=True)  # type: ignore[assignment]
    target = serializers.CharField(source="mapping.target", read_only=True)
    error_host = serializers.CharField(
        source="failed_registry", read_only=True, help_text="Registry at which the job failed."
    )
    advice = serializers.SerializerMethodField(help_text="How to fix the error, if `error_message` does not say it.")

    def get_advice(self, job: MirrorJob) -> str:
        return next_step(job)

    class Meta:
        model = MirrorJob
        fields = (
            "id",
            "mapping",
            "source",
            "target",
            "status",
            "priority",
            "trigger",
            "requested_by",
            "cluster",
            "namespace",
            "needs_cluster",
            "attempts",
            "max_attempts",
            "available_at",
            "cancel_requested_at",
            "error_class",
            "error_message",
            "error_host",
            "advice",
            "referrers",
            "referrers_error",
            "retry_of",
            "created_at",
            "finished_at",
        )


class AttemptSerializer(serializers.ModelSerializer[MirrorAttempt]):
    class Meta:
        model = MirrorAttempt
        fields = (
            "number",
            "worker",
            "outcome",
            "error_class",
            "error",
            "bytes_copied",
            "started_at",
            "finished_at",
            "log",
        )


class OrderSerializer(StrictFields):
    """An image to mirror now."""

    image = serializers.CharField(max_length=1024, help_text="Image reference as in a pod, such as nginx:1.27.")

    def validate_image(self, value: str) -> str:
        try:
            return str(ImageRef.parse(value))
        except InvalidReferenceError as error:
            raise serializers.ValidationError(str(error)) from error


class PrioritySerializer(StrictFields):
    """The new priority of a queued job."""

    priority = NamedChoiceField(choices=Priority.choices)


class RetryFailedSerializer(StrictFields):
    """Selects failures by error, and optionally by registry."""

    error_class = NamedChoiceField(choices=[choice for choice in ErrorClass.choices if choice[0]])
    error_host = serializers.CharField(max_length=260, required=False, default="", allow_blank=True)


class RetriedSerializer(serializers.Serializer[Any]):
    jobs = serializers.ListField(child=serializers.IntegerField(), help_text="The new jobs.")
    refusals = serializers.ListField(child=serializers.CharField(), help_text="Why other jobs were skipped.")
