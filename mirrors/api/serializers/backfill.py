"""Backfills: their previews, their progress, and their images."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from mirrors.api.requests.strict_fields import StrictFields
from mirrors.models import DEFAULT_CLUSTER, BackfillImage, BackfillRun
from mirrors.selectors.clusters.backfill import backfill_progress, why
from swapper_project.process import configured


class BackfillProgressSerializer(serializers.Serializer[Any]):
    """The number of images of a backfill by state."""

    images = serializers.IntegerField(help_text="All images, without those that are skipped.")
    found = serializers.IntegerField(help_text="Images that are not evaluated yet.")
    ready = serializers.IntegerField()
    queued = serializers.IntegerField(help_text="Images with an active job.")
    mirrored = serializers.IntegerField()
    failed = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    skipped = serializers.IntegerField()
    percent = serializers.IntegerField(help_text="Finished images as a percentage of all images.")
    seconds_left = serializers.FloatField(allow_null=True)


class BackfillSerializer(serializers.ModelSerializer[BackfillRun]):
    class Meta:
        model = BackfillRun
        fields = (
            "id",
            "cluster",
            "state",
            "requested_by",
            "problem",
            "images",
            "excluded",
            "bytes_total",
            "unmeasured",
            "counted_pulls",
            "seconds_estimated",
            "created_at",
            "previewed_at",
            "started_at",
            "finished_at",
        )


class BackfillDetailSerializer(BackfillSerializer):
    progress = serializers.SerializerMethodField()

    @extend_schema_field(BackfillProgressSerializer)
    def get_progress(self, run: BackfillRun) -> dict[str, Any]:
        return dict(BackfillProgressSerializer(backfill_progress(run)).data)

    class Meta(BackfillSerializer.Meta):
        fields = (*BackfillSerializer.Meta.fields, "progress")  # type: ignore[assignment]


class BackfillImageSerializer(serializers.ModelSerializer[BackfillImage]):
    meaning = serializers.SerializerMethodField(help_text="Description of `reason`.")

    def get_meaning(self, image: BackfillImage) -> str:
        return why(image.reason) if image.reason else ""

    class Meta:
        model = BackfillImage
        fields = (
            "source",
            "rank",
            "pods",
            "workloads",
            "is_awaited",
            "state",
            "reason",
            "meaning",
            "details",
            "size_bytes",
            "manifests",
            "job",
        )


class BackfillPreviewSerializer(StrictFields):
    """The cluster to preview a backfill of."""

    cluster = serializers.CharField(
        max_length=63, required=False, help_text="Default: `clusterName` in the configuration file."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        config_source = configured.source()
        return {"cluster": config_source.current.cluster_name if config_source else DEFAULT_CLUSTER, **attrs}
