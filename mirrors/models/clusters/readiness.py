"""The number of workloads of each cluster that could start without their sources, over time."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


def percent_protected(workloads: int, unprotected: int) -> float | None:
    """Return the percentage of protected workloads, rounded down to a tenth, so that 100 means all of them. Return None
    if there are no workloads."""
    return (workloads - unprotected) * 1_000 // workloads / 10 if workloads else None


class ReadinessSample(models.Model):
    """The readiness of a cluster in one hour, by the last check in that hour. It counts the workloads whose images the
    watcher lists."""

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
    def percent(self) -> float | None:
        return percent_protected(self.workloads, self.unprotected)

    def __str__(self) -> str:
        return f"{self.cluster}: {self.unprotected} of {self.workloads} workloads not protected"
