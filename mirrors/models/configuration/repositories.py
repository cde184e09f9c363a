"""Repositories of a target registry: their settings, and the differences from the configuration."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from mirrors.models.configuration.registries import Registry


class TargetRepositoryQuerySet(models.QuerySet["TargetRepository"]):
    def to_apply(self) -> TargetRepositoryQuerySet:
        """Repositories to which a user wants the configured settings to be applied."""
        return self.filter(apply_requested_at__isnull=False)


class TargetRepository(models.Model):
    """A repository as a worker last saw it. ``differences`` has the settings that differ from the configuration."""

    registry = models.ForeignKey(Registry, on_delete=models.CASCADE, related_name="repositories", db_index=False)
    name = models.CharField(max_length=256)
    facts = models.JSONField(default=dict, blank=True)
    differences = models.JSONField(default=list, blank=True)
    has_differences = models.BooleanField(default=False)
    pulls_through = models.BooleanField(default=False, help_text="A pull-through cache: the registry pulls the images.")
    problem = models.TextField(blank=True, help_text="Why the settings could not be applied.")
    apply_requested_at = models.DateTimeField(null=True, blank=True)
    checked_at = models.DateTimeField(db_default=Now())

    objects = TargetRepositoryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "target repositories"
        constraints = [models.UniqueConstraint(fields=["registry", "name"], name="repository_unique")]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(has_differences=True), name="repository_differs"),
            models.Index(
                fields=["apply_requested_at"],
                condition=models.Q(apply_requested_at__isnull=False),
                name="repository_to_apply",
            ),
        ]

    def __str__(self) -> str:
        return self.name
