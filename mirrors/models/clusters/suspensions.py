"""Suspensions of swaps: targets that the nodes of a cluster cannot pull from, and restart loops of workloads."""

from __future__ import annotations

import hashlib
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from mirrors.models.base.revisions import RevisionedModel, RevisionedQuerySet
from mirrors.models.clusters.clusters import KEY_LENGTH
from mirrors.models.clusters.pull_failures import CAUSES
from mirrors.models.images.mappings import REFERENCE_LENGTH
from mirrors.vocabulary.bounds import HOST_LENGTH
from mirrors.vocabulary.clusters import DEFAULT_CLUSTER


class HealthState(models.TextChoices):
    """The health of a target, as the nodes of a cluster see it."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    TESTING = "testing"
    """The target is unhealthy, and a few pods are swapped to it as a test."""


class TargetHealthQuerySet(RevisionedQuerySet["TargetHealth"]):
    def disturbed(self) -> TargetHealthQuerySet:
        """Targets that are not healthy."""
        return self.filter(state__in=TargetHealth.DISTURBED)


class TargetHealth(RevisionedModel):
    """Whether the nodes of a cluster can pull from a target. The webhooks of the cluster read it; a target without a
    row is healthy."""

    DISTURBED: ClassVar = frozenset({HealthState.UNHEALTHY, HealthState.TESTING})

    cluster = models.CharField(max_length=63, default=DEFAULT_CLUSTER, db_default=DEFAULT_CLUSTER)
    registry = models.CharField(max_length=HOST_LENGTH, help_text="Host of the target registry.")
    state = models.CharField(max_length=10, choices=HealthState, default=HealthState.HEALTHY)
    cause = models.CharField(max_length=20, choices=CAUSES)
    message = models.TextField(blank=True, help_text="What the kubelet of one of the nodes reported.")
    nodes = models.JSONField(default=list, blank=True, help_text="Nodes that could not pull.")
    began_at = models.DateTimeField(db_default=Now(), help_text="When it was last found unhealthy.")
    changed_at = models.DateTimeField(db_default=Now(), help_text="When the state last changed.")

    objects = TargetHealthQuerySet.as_manager()

    class Meta:
        verbose_name = "target health"
        verbose_name_plural = "target health"
        constraints = [
            models.UniqueConstraint(fields=["cluster", "registry"], name="target_health_unique"),
            models.CheckConstraint(condition=Q(state__in=HealthState.values), name="target_health_state_known"),
        ]

    def __str__(self) -> str:
        return f"{self.registry} in {self.cluster}"


class RestartLoopQuerySet(RevisionedQuerySet["RestartLoop"]):
    def active(self) -> RestartLoopQuerySet:
        """Restart loops that suspend the swaps of their image now."""
        return self.filter(released_at__isnull=True, expires_at__gt=Now())


class RestartLoop(RevisionedModel):
    """An image of a workload that is not swapped, until ``expires_at`` or until a user releases it."""

    cluster = models.CharField(max_length=63, default=DEFAULT_CLUSTER, db_default=DEFAULT_CLUSTER)
    key = models.CharField(max_length=KEY_LENGTH, editable=False, help_text="See key_of.")
    namespace = models.CharField(max_length=63)
    workload_kind = models.CharField(max_length=63, blank=True)
    workload = models.CharField(max_length=253, blank=True)
    source = models.CharField(max_length=REFERENCE_LENGTH, help_text="Original image.")
    image = models.CharField(max_length=REFERENCE_LENGTH, help_text="Image at the target that the pods had.")
    count = models.PositiveIntegerField(
        help_text="Pods that were deleted one after another before the loop was detected."
    )
    detected_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    released_at = models.DateTimeField(null=True, blank=True)

    objects = RestartLoopQuerySet.as_manager()

    class Meta:
        verbose_name = "restart loop"
        constraints = [models.UniqueConstraint(fields=["cluster", "key"], name="restart_loop_unique")]
        indexes = [
            models.Index(fields=["expires_at"], condition=Q(released_at__isnull=True), name="restart_loop_active"),
        ]

    @staticmethod
    def key_of(namespace: str, kind: str, workload: str, source: str) -> str:
        parts = "\n".join((namespace, kind, workload, source))
        return hashlib.sha256(parts.encode(errors="replace")).hexdigest()[:KEY_LENGTH]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.workload}: {self.source}"
