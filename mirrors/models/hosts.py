"""What workers share about registries' hosts: where blobs are, and who must rest."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from mirrors.models.image_mapping import DIGEST_LENGTH
from mirrors.models.registry import Registry


class BlobLocation(models.Model):
    """A repository of a target registry that holds a blob, so that others can mount it."""

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


class HostBudget(models.Model):
    """What a host still allows, and until when it has asked to be left alone."""

    host = models.CharField(max_length=260)
    credential = models.CharField(max_length=255, blank=True, help_text="Whose budget; empty: anonymous.")
    operation = models.CharField(max_length=30, blank=True)
    resting_until = models.DateTimeField(null=True, blank=True)
    tokens = models.FloatField(null=True, blank=True)
    remaining = models.IntegerField(null=True, blank=True, help_text="As the registry itself reports.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = "host limit"
        constraints = [
            models.UniqueConstraint(fields=["host", "credential", "operation"], name="host_budget_unique"),
        ]

    def __str__(self) -> str:
        return self.host
