"""Repositories at the target."""

from __future__ import annotations

from rest_framework import serializers

from mirrors.models import TargetRepository


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
