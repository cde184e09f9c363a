"""Rows as the API shows and takes them. No field ever holds a credential, only its reference."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from rest_framework import serializers

from mirrors.advice import advice_for
from mirrors.images import ImageRef, InvalidReferenceError
from mirrors.models import (
    ErrorClass,
    Filter,
    ImageMapping,
    ImageUse,
    Instance,
    MappingAccess,
    MirrorAttempt,
    MirrorJob,
    OperatorAction,
    Priority,
    Registry,
    RegistryCheck,
    TargetRepository,
)


class AccessSerializer(serializers.ModelSerializer[MappingAccess]):
    class Meta:
        model = MappingAccess
        fields = ("namespace", "granted", "checked_at")


class MappingSerializer(serializers.ModelSerializer[ImageMapping]):
    class Meta:
        model = ImageMapping
        fields: ClassVar[Any] = (
            "id",
            "source",
            "target",
            "target_registry",
            "source_digest",
            "target_digest",
            "platforms",
            "size_bytes",
            "existence",
            "verified_at",
            "source_checked_at",
            "access",
            "obstacle",
            "paused",
            "last_job",
            "last_seen_at",
            "created_at",
        )


class MappingDetailSerializer(MappingSerializer):
    accesses = AccessSerializer(many=True, read_only=True, help_text="Namespaces, where the source is private.")

    class Meta(MappingSerializer.Meta):
        fields = (*MappingSerializer.Meta.fields, "accesses")


class BlobProgressSerializer(serializers.Serializer[Any]):
    digest = serializers.CharField()
    size = serializers.IntegerField()
    sent = serializers.IntegerField()


class ProgressSerializer(serializers.Serializer[Any]):
    """Of the last attempt; all bytes are of blobs."""

    bytes_total = serializers.IntegerField()
    bytes_done = serializers.IntegerField(help_text="Copied, mounted or there already.")
    bytes_copied = serializers.IntegerField()
    bytes_mounted = serializers.IntegerField()
    bytes_skipped = serializers.IntegerField()
    blobs_total = serializers.IntegerField()
    blobs_done = serializers.IntegerField()
    moving = BlobProgressSerializer(many=True, help_text="Blobs on their way, the largest first.")
    bytes_per_second = serializers.FloatField()
    seconds_left = serializers.FloatField(allow_null=True)


class JobSerializer(serializers.ModelSerializer[MirrorJob]):
    source = serializers.CharField(source="mapping.source", read_only=True)  # type: ignore[assignment]
    target = serializers.CharField(source="mapping.target", read_only=True)
    advice = serializers.SerializerMethodField(help_text="What to do about its error.")

    def get_advice(self, job: MirrorJob) -> str:
        return advice_for(job.error_class)

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
            "namespace",
            "attempts",
            "max_attempts",
            "available_at",
            "cancel_requested_at",
            "error_class",
            "error_message",
            "error_host",
            "advice",
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


class OrderSerializer(serializers.Serializer[Any]):
    """An image that is to be mirrored now."""

    image = serializers.CharField(max_length=1024, help_text="A reference as a pod has it, such as nginx:1.27.")

    def validate_image(self, value: str) -> str:
        try:
            return str(ImageRef.parse(value))
        except InvalidReferenceError as error:
            raise serializers.ValidationError(str(error)) from error


class PrioritySerializer(serializers.Serializer[Any]):
    priority = serializers.ChoiceField(choices=Priority.choices)


class RetryFailedSerializer(serializers.Serializer[Any]):
    error_class = serializers.ChoiceField(choices=[choice for choice in ErrorClass.choices if choice[0]])
    error_host = serializers.CharField(max_length=260, required=False, default="", allow_blank=True)


class RetriedSerializer(serializers.Serializer[Any]):
    jobs = serializers.ListField(child=serializers.IntegerField(), help_text="The new jobs.")
    refusals = serializers.ListField(child=serializers.CharField(), help_text="Why others were passed over.")


class FilterSerializer(serializers.ModelSerializer[Filter]):
    class Meta:
        model = Filter
        fields = ("id", "name", "jmespath", "position", "enabled", "managed_by", "created_at", "updated_at")
        read_only_fields = ("managed_by",)


class RegistrySerializer(serializers.ModelSerializer[Registry]):
    class Meta:
        model = Registry
        fields = (
            "id",
            "name",
            "role",
            "kind",
            "endpoint",
            "prefix",
            "username",
            "credential_ref",
            "insecure",
            "ca_file",
            "enabled",
            "managed_by",
            "created_at",
            "updated_at",
        )
        read_only_fields = ("role", "kind", "prefix", "managed_by")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """As the model itself checks it."""
        row = copy.copy(self.instance) if isinstance(self.instance, Registry) else Registry()
        for name, value in attrs.items():
            setattr(row, name, value)
        try:
            row.clean()
        except ValidationError as error:
            raise serializers.ValidationError(error.message_dict) from error
        return {**attrs, "endpoint": row.endpoint}


class StepSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    status = serializers.CharField(help_text="ok, failed or skipped")
    words = serializers.CharField()
    seconds = serializers.FloatField(required=False)


class CheckSerializer(serializers.ModelSerializer[RegistryCheck]):
    steps = StepSerializer(many=True, read_only=True)

    class Meta:
        model = RegistryCheck
        fields = ("id", "registry", "status", "steps", "requested_by", "created_at", "started_at", "finished_at")


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


class CoverageSerializer(serializers.Serializer[Any]):
    hours = serializers.IntegerField()
    coverage = serializers.FloatField(allow_null=True)
    before = serializers.FloatField(allow_null=True, help_text="Of as many hours before those.")


class QueueLineSerializer(serializers.Serializer[Any]):
    priority = serializers.IntegerField()
    name = serializers.CharField()
    waiting = serializers.IntegerField()
    running = serializers.IntegerField()
    oldest_due_seconds = serializers.FloatField()


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
