"""Workloads that use an image, which webhook processes write in batches."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from mirrors.models.base.cluster_column import cluster_field
from mirrors.models.images.mappings import ImageMapping
from mirrors.vocabulary.clusters import DEFAULT_CLUSTER


class ImageUse(models.Model):
    """A workload that was admitted with an image; ``last_seen_at`` is written at most once an hour."""

    mapping = models.ForeignKey(ImageMapping, on_delete=models.CASCADE, related_name="uses", db_index=False)
    cluster = cluster_field()
    namespace = models.CharField(max_length=63)
    workload_kind = models.CharField(max_length=63, blank=True)
    workload = models.CharField(max_length=253, blank=True)
    first_seen_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        verbose_name = "workload"
        constraints = [
            models.UniqueConstraint(
                fields=["mapping", "cluster", "namespace", "workload_kind", "workload"], name="use_in_cluster_unique"
            ),
        ]
        indexes = [
            models.Index(fields=["namespace", "-id"], name="use_in_namespace"),
            models.Index(fields=["workload", "-id"], name="use_by_workload"),
            # Empty while the only cluster is the default one.
            models.Index(fields=["cluster", "-id"], condition=~Q(cluster=DEFAULT_CLUSTER), name="use_in_cluster"),
        ]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.workload}" if self.workload else f"standalone pods in {self.namespace}"
