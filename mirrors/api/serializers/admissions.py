"""Recent admissions, each with the decisions on its images."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from mirrors.models import AdmissionSample
from mirrors.vocabulary.reasons import meaning_of


class DecidedImageSerializer(serializers.Serializer[Any]):
    container = serializers.CharField(help_text="Name of the container; `volumes/NAME` for an image volume.")
    image = serializers.CharField()
    decision = serializers.CharField(help_text="swap or keep.")
    reason = serializers.CharField()
    meaning = serializers.SerializerMethodField(help_text="Meaning of the reason.")
    would = serializers.CharField(
        allow_null=True, help_text="Reason that would apply without dry run or the kill switch."
    )
    target = serializers.CharField(allow_null=True)
    filter = serializers.CharField(allow_null=True)

    def get_meaning(self, decision: dict[str, Any]) -> str:
        return meaning_of(decision["reason"])


class AdmissionSerializer(serializers.ModelSerializer[AdmissionSample]):
    images = DecidedImageSerializer(many=True, read_only=True, source="decisions")
    # Declared explicitly, because the limits of a column differ between databases.
    swapped = serializers.IntegerField(read_only=True, help_text="Images that were swapped.")
    kept = serializers.IntegerField(read_only=True, help_text="Images that were kept.")

    class Meta:
        model = AdmissionSample
        fields: tuple[str, ...] = (
            "id",
            "created_at",
            "uid",
            "operation",
            "cluster",
            "namespace",
            "pod_name",
            "workload_kind",
            "workload",
            "swapped",
            "kept",
            "images",
        )


class AdmissionDetailSerializer(AdmissionSerializer):
    pod = serializers.SerializerMethodField(
        help_text="Without environment variables, commands, arguments and annotations."
    )

    class Meta(AdmissionSerializer.Meta):
        fields = (*AdmissionSerializer.Meta.fields, "pod")

    @extend_schema_field(serializers.DictField())
    def get_pod(self, row: AdmissionSample) -> dict[str, Any]:
        pod: dict[str, Any] = row.pod
        return pod
