"""Mappings, and the access of namespaces to private ones."""

from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from mirrors.models import ImageMapping, MappingAccess
from mirrors.selectors.images.last_errors import last_error_of
from mirrors.selectors.images.mapping_states import STATE_CHOICES, state_of


class AccessSerializer(serializers.ModelSerializer[MappingAccess]):
    class Meta:
        model = MappingAccess
        fields = ("cluster", "namespace", "granted", "checked_at")


class MappingSerializer(serializers.ModelSerializer[ImageMapping]):
    signers = serializers.ListField(
        child=serializers.CharField(),
        read_only=True,
        help_text="Identities in the certificates of its signatures; not verified.",
    )
    state = serializers.SerializerMethodField(help_text="State in one word, as on the pages.")
    error_class = serializers.SerializerMethodField(help_text="Error of the last job, if it failed; otherwise empty.")
    error_message = serializers.SerializerMethodField(help_text="Message of the error.")
    error_host = serializers.SerializerMethodField(help_text="Registry at which the last job failed.")
    advice = serializers.SerializerMethodField(
        help_text="How to fix the error, if `error_message` does not explain it."
    )

    @extend_schema_field(serializers.ChoiceField(STATE_CHOICES))
    def get_state(self, row: ImageMapping) -> str:
        return state_of(row)

    def get_error_class(self, row: ImageMapping) -> str:
        return last_error_of(row).error_class

    def get_error_message(self, row: ImageMapping) -> str:
        return last_error_of(row).error_message

    def get_error_host(self, row: ImageMapping) -> str:
        return last_error_of(row).error_host

    def get_advice(self, row: ImageMapping) -> str:
        return last_error_of(row).advice

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
            "signed",
            "signers",
            "referrers_checked_at",
            "referrers_error",
            "access",
            "obstacle",
            "paused",
            "state",
            "error_class",
            "error_message",
            "error_host",
            "advice",
            "last_job",
            "last_seen_at",
            "created_at",
        )


class MappingDetailSerializer(MappingSerializer):
    accesses = AccessSerializer(many=True, read_only=True, help_text="Access of namespaces, if the source is private.")

    class Meta(MappingSerializer.Meta):
        fields = (*MappingSerializer.Meta.fields, "accesses")
