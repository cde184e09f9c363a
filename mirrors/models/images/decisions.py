"""Hourly counts of decisions about images, which webhook processes write in batches."""

from __future__ import annotations

from django.db import models

from mirrors.models.base.cluster_column import cluster_field


class DecisionCount(models.Model):
    """The number of images decided on in an hour, by cluster, namespace, source host, decision, reason, filter and
    whether the image was new."""

    hour = models.DateTimeField()
    cluster = cluster_field()
    namespace = models.CharField(max_length=63)
    source_host = models.CharField(max_length=260)
    decision = models.CharField(max_length=10)
    reason = models.CharField(max_length=30)
    filter = models.CharField(
        max_length=200, blank=True, default="", db_default="", help_text="The filter that matched."
    )
    first_seen = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Whether the image had no mapping yet: its first pod requested the copy.",
    )
    images = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = "decision"
        constraints = [
            models.UniqueConstraint(
                fields=["hour", "cluster", "namespace", "source_host", "decision", "reason", "filter", "first_seen"],
                name="decision_count_of_cluster_unique",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.images} × {self.decision}: {self.reason}"
