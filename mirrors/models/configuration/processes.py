"""Running webhooks, workers and watchers, with the facts that each last reported."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from mirrors.models.base.cluster_column import cluster_field


class InstanceRole(models.TextChoices):
    WEBHOOK = "webhook"
    WORKER = "worker"
    WATCHER = "watcher"


class Instance(models.Model):
    """A webhook process, a worker or a watcher. The ``facts`` of a webhook are dry_run, switched_off, problem (of the
    configuration file), target, certificate_expires_at (ISO 8601)."""

    role = models.CharField(max_length=10, choices=InstanceRole)
    cluster = cluster_field()
    name = models.CharField(max_length=255, help_text="Host (in a cluster, the pod) and process ID.")
    facts = models.JSONField(default=dict, blank=True)
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        verbose_name = "process"
        verbose_name_plural = "processes"
        constraints = [models.UniqueConstraint(fields=["role", "cluster", "name"], name="instance_of_cluster_unique")]

    def __str__(self) -> str:
        return f"{self.role} {self.name}"
