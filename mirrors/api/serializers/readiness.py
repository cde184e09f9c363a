"""The fire drill: its parameters and its result."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from mirrors.api.requests.strict_fields import StrictFields
from mirrors.readiness.gaps import Gap

GAPS = [(gap.value, gap.value) for gap in Gap]


class MirrorMissingSerializer(StrictFields):
    """The scope in which missing images are mirrored."""

    cluster = serializers.CharField(max_length=63, default="", help_text="Default: `clusterName` of the configuration.")
    without = serializers.CharField(
        max_length=260,
        default="",
        allow_blank=True,
        help_text="Registry assumed to be unreachable; default: all sources.",
    )
    namespace = serializers.CharField(max_length=63, default="", allow_blank=True)


class ReadinessQuerySerializer(MirrorMissingSerializer):
    reason = serializers.ChoiceField(
        choices=GAPS, default="", allow_blank=True, help_text="Only images with this reason."
    )
    max_age = serializers.IntegerField(
        min_value=1,
        max_value=366 * 86_400,
        default=None,
        allow_null=True,
        help_text="Maximum seconds since the target was checked for an image; default: `existence.maxStale`.",
    )
    allow_changes = serializers.BooleanField(
        default=False, help_text="Counts images whose mirror has another digest as protected."
    )
    drift = serializers.BooleanField(
        default=False, help_text="Lists images that run with another digest than the mirror has in `drift`."
    )
    page = serializers.IntegerField(min_value=1, max_value=100_000, default=1, help_text="Page of the lists.")
    page_size = serializers.IntegerField(min_value=1, max_value=1_000, default=200)


class NamespaceReadinessSerializer(serializers.Serializer[Any]):
    namespace = serializers.CharField()
    workloads = serializers.IntegerField()
    unprotected = serializers.IntegerField()
    percent = serializers.FloatField(allow_null=True, help_text="Share of workloads that are protected.")


class OfWorkloadSerializer(serializers.Serializer[Any]):
    namespace = serializers.CharField()
    kind = serializers.CharField()
    name = serializers.CharField()
    source = serializers.CharField(allow_blank=True)  # type: ignore[assignment]
    mapping = serializers.IntegerField(allow_null=True, help_text="ID of the mapping.")


class MissingImageSerializer(OfWorkloadSerializer):
    image = serializers.CharField(help_text="Image as named in the pods or the template.")
    reason = serializers.ChoiceField(GAPS, help_text="Stable across versions.")
    meaning = serializers.CharField()
    next_step = serializers.CharField()
    kept = serializers.CharField(
        allow_blank=True, help_text="Reason for which the webhook keeps the source, if the image is not swapped."
    )


class DriftSerializer(OfWorkloadSerializer):
    running_digest = serializers.CharField()
    source_digest = serializers.CharField(
        allow_blank=True, help_text="Digest of the tag at the source when it was last compared with the target."
    )
    target_digest = serializers.CharField()


class ReadinessSerializer(serializers.Serializer[Any]):
    """The workloads that could start on a new node if a registry could not be reached now."""

    cluster = serializers.CharField()
    without = serializers.CharField(
        allow_blank=True, help_text="Registry assumed to be unreachable; empty: all sources."
    )
    taken_at = serializers.DateTimeField(help_text="When this result was computed. Results are cached for a minute.")
    workloads = serializers.IntegerField()
    unprotected = serializers.IntegerField()
    percent = serializers.FloatField(allow_null=True, help_text="Share of workloads that are protected.")
    namespaces = NamespaceReadinessSerializer(many=True)
    reasons = serializers.DictField(child=serializers.IntegerField(), help_text="Images of workloads by reason.")
    notices = serializers.ListField(
        child=serializers.CharField(), help_text="Assumptions and limitations of the result."
    )
    count = serializers.IntegerField(help_text="Rows of `missing`, or of `drift`, on all pages.")
    missing = MissingImageSerializer(many=True)
    drift = DriftSerializer(many=True)


class MissingMirroredSerializer(serializers.Serializer[Any]):
    """The result of a request to mirror missing images."""

    requested = serializers.IntegerField(help_text="Jobs that were created.")
    active = serializers.IntegerField(help_text="Images that already had a job.")
    left = serializers.IntegerField(help_text="Images left for the next request.")
    refusals = serializers.ListField(child=serializers.CharField())
