"""How many workloads of a cluster could start without their sources, over time."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class ReadinessSample(models.Model):
    """An hour of a cluster, as of the last look within it. Workloads are those whose images the watcher lists."""

    cluster = models.CharField(max_length=63)
    hour = models.DateTimeField()
    workloads = models.PositiveIntegerField()
    unprotected = models.PositiveIntegerField(help_text="Workloads with an image that needs its source to start.")
    taken_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "readiness"
        verbose_name_plural = "readiness"
        constraints = [models.UniqueConstraint(fields=["cluster", "hour"], name="readiness_sample_unique")]

    @property
    def share(self) -> float | None:
        """Of workloads that are protected, 0 to 1; None without workloads."""
        return 1 - self.unprotected / self.workloads if self.workloads else None

    def __str__(self) -> str:
        return f"{self.cluster}: {self.unprotected} of {self.workloads} workloads not protected"
