"""Blobs that repositories of target registries have."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from mirrors.models.configuration.registries import Registry
from mirrors.models.images.mappings import DIGEST_LENGTH


class BlobLocation(models.Model):
    """A repository of a target registry that has a blob, from which other repositories can mount the blob."""

    registry = models.ForeignKey(Registry, on_delete=models.CASCADE, related_name="+", db_index=False)
    digest = models.CharField(max_length=DIGEST_LENGTH)
    repository = models.CharField(max_length=256)
    seen_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["registry", "digest", "repository"], name="blob_location_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.digest} in {self.repository}"
