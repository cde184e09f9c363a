"""Some of the admissions, each with how it was decided."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class AdmissionSample(models.Model):
    """One review, sampled. The pod is pruned to what filters read: no environment, commands, arguments, annotations.

    ``decisions`` has one object an image: container, image, decision, reason, would, target, filter.
    """

    uid = models.CharField(max_length=64, blank=True)
    namespace = models.CharField(max_length=63)
    pod_name = models.CharField(max_length=253, blank=True)
    workload_kind = models.CharField(max_length=63, blank=True)
    workload = models.CharField(max_length=253, blank=True)
    operation = models.CharField(max_length=10, blank=True)
    pod = models.JSONField(default=dict)
    decisions = models.JSONField(default=list)
    swapped = models.PositiveIntegerField(default=0, db_default=0, help_text="Images that were swapped.")
    kept = models.PositiveIntegerField(default=0, db_default=0, help_text="Images that were kept.")
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        verbose_name = "admission"
        indexes = [
            models.Index(fields=["namespace", "-id"], name="sample_by_namespace"),
            models.Index(fields=["workload", "-id"], name="sample_by_workload"),
        ]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod_name}"
