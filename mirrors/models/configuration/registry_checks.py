"""Connection tests of registries, which users request and a worker runs step by step."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from mirrors.models.configuration.registries import Registry


class CheckStatus(models.TextChoices):
    PENDING = "pending", "Queued"
    RUNNING = "running"
    PASSED = "passed"
    FAILED = "failed"


class RegistryCheck(models.Model):
    """One connection test. ``steps`` has the results so far: name, status (ok, failed, skipped), words, seconds."""

    LIVE: ClassVar = frozenset({CheckStatus.PENDING, CheckStatus.RUNNING})

    registry = models.ForeignKey(Registry, on_delete=models.CASCADE, related_name="checks", db_index=False)
    status = models.CharField(max_length=10, choices=CheckStatus, default=CheckStatus.PENDING)
    steps = models.JSONField(default=list, blank=True)
    requested_by = models.CharField(max_length=255, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "connection test"
        verbose_name_plural = "connection tests"
        constraints = [
            models.CheckConstraint(condition=Q(status__in=CheckStatus.values), name="check_status_known"),
            models.UniqueConstraint(
                fields=["registry"], condition=Q(status__in=["pending", "running"]), name="check_one_live_a_registry"
            ),
        ]
        indexes = [models.Index(fields=["registry", "-id"], name="check_of_registry")]

    @classmethod
    def newest_status(cls) -> models.Subquery:
        """Return a subquery for rows of registries: the status of the newest test of each."""
        newest = cls.objects.filter(registry=models.OuterRef("pk")).order_by("-id")
        return models.Subquery(newest.values("status")[:1])

    def __str__(self) -> str:
        return f"test of {self.registry}"
