"""Samples of admissions, with the decisions about their images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.db import models
from django.db.models.functions import Now

from mirrors.models.base.cluster_column import cluster_field


class AdmissionSample(models.Model):
    """A sampled admission review. Its pod is stored without environment variables, commands, arguments, and without
    annotations except those that decisions read.

    ``decisions`` has one object per image: container, image, decision, reason, would, target, filter.
    """

    uid = models.CharField(max_length=64, blank=True)
    cluster = cluster_field()
    namespace = models.CharField(max_length=63)
    pod_name = models.CharField(max_length=253, blank=True)
    workload_kind = models.CharField(max_length=63, blank=True)
    workload = models.CharField(max_length=253, blank=True)
    operation = models.CharField(max_length=10, blank=True)
    pod = models.JSONField(default=dict)
    decisions = models.JSONField(default=list)
    image_names = models.TextField(
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="Images of the pod and their targets, one per line: what a search by image reads.",
    )
    swapped = models.PositiveIntegerField(default=0, db_default=0, help_text="Images that were swapped.")
    kept = models.PositiveIntegerField(default=0, db_default=0, help_text="Images that were kept.")
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        verbose_name = "admission"
        indexes = [
            models.Index(fields=["namespace", "-id"], name="sample_by_namespace"),
            models.Index(fields=["workload", "-id"], name="sample_by_workload"),
        ]

    @staticmethod
    def names_in(decisions: Iterable[Mapping[str, Any]]) -> str:
        """Return the value of ``image_names``, with each name once."""
        names = (decision.get(key) for decision in decisions for key in ("image", "target"))
        return "\n".join(dict.fromkeys(name for name in names if name))

    def __str__(self) -> str:
        return f"{self.namespace}/{self.pod_name}"
