"""Jobs with their attempts and progress, and the bodies of requests for jobs."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers

from mirrors.api.requests.strict_fields import STRING, StrictFields, is_number
from mirrors.images import ImageRef, InvalidReferenceError
from mirrors.models import ErrorClass, MirrorAttempt, MirrorJob, Priority
from mirrors.selectors.jobs.advice import next_step
from mirrors.services import NamedImage

LONGEST_IMAGE: Final = 1_024
"""The most characters of an image reference. A valid one has at most a few hundred."""

MOST_REQUEST_IMAGES: Final = 500
"""The most images of one request, which takes about a second."""


class BlobProgressSerializer(serializers.Serializer[Any]):
    digest = serializers.CharField()
    size = serializers.IntegerField()
    sent = serializers.IntegerField()


class ProgressSerializer(serializers.Serializer[Any]):
    """The progress of the last attempt, in bytes of blobs."""

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
    advice = serializers.SerializerMethodField(
        help_text="How to fix the error, if `error_message` does not explain it."
    )

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


class ImageToMirrorSerializer(StrictFields):
    """An image to mirror now."""

    also_allowed = ("images",)
    image = serializers.CharField(
        max_length=LONGEST_IMAGE, help_text="Image reference as in a pod, such as nginx:1.27."
    )

    def validate_image(self, value: str) -> str:
        try:
            return str(ImageRef.parse(value))
        except InvalidReferenceError as error:
            raise serializers.ValidationError(str(error)) from error


class ImagesField(serializers.ListField):
    """A list of images. Each entry becomes a ``NamedImage``, so that an invalid entry does not reject the others."""

    def run_child_validation(self, data: Any) -> list[NamedImage]:
        return [self._named(entry) for entry in data]

    def _named(self, entry: Any) -> NamedImage:
        name = str(entry)[:LONGEST_IMAGE]
        if is_number(entry):
            return NamedImage(name, None, STRING)
        try:
            return NamedImage(name, ImageRef.parse(self.child.run_validation(entry)))
        except serializers.ValidationError as error:
            return NamedImage(name, None, " ".join(map(str, error.detail)))
        except InvalidReferenceError as error:
            return NamedImage(name, None, str(error))


class ImageBatchSerializer(StrictFields):
    """Images to mirror now."""

    images = ImagesField(
        child=serializers.CharField(max_length=LONGEST_IMAGE),
        min_length=1,
        max_length=MOST_REQUEST_IMAGES,
        help_text=f"Image references as in a pod, at most {MOST_REQUEST_IMAGES}.",
    )

    def to_internal_value(self, data: Any) -> Any:
        if "image" in data:
            raise serializers.ValidationError({"image": ["Send image or images, not both."]})
        return super().to_internal_value(data)


class ImageResultSerializer(serializers.Serializer[Any]):
    """The job of one image, or the reason why there is no job."""

    image = serializers.CharField(help_text="The reference as you sent it.")
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="The full reference; empty if it is not valid."
    )
    mapping = serializers.IntegerField(allow_null=True)
    job = serializers.IntegerField(allow_null=True, help_text="The active job; null if there is none.")
    is_new = serializers.BooleanField(help_text="Whether this request created the job.")
    code = serializers.CharField(help_text="`invalid` or `job-state` if there is no job, as in problem documents.")
    error = serializers.CharField(help_text="Why there is no job, and what to do.")


class ImageBatchResultSerializer(serializers.Serializer[Any]):
    """The results of several images, in the order of the request."""

    results = ImageResultSerializer(many=True)


class PrioritySerializer(StrictFields):
    """The new priority of a queued job."""

    priority = serializers.ChoiceField(choices=Priority.choices)


class RetryFailedSerializer(StrictFields):
    """The failed jobs to retry, by error and optionally by registry."""

    error_class = serializers.ChoiceField(choices=[choice for choice in ErrorClass.choices if choice[0]])
    error_host = serializers.CharField(max_length=260, required=False, default="", allow_blank=True)


class RetriedSerializer(serializers.Serializer[Any]):
    jobs = serializers.ListField(child=serializers.IntegerField(), help_text="The new jobs.")
    refusals = serializers.ListField(child=serializers.CharField(), help_text="Why other jobs were skipped.")
