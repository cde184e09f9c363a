"""Workloads whose pods are deleted again and again right after their image was swapped."""

from __future__ import annotations

import hashlib

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from mirrors.models.cluster import KEY_LENGTH
from mirrors.models.image_mapping import REFERENCE_LENGTH
from mirrors.models.revision import RevisionedModel, RevisionedQuerySet
from mirrors.vocabulary.clusters import DEFAULT_CLUSTER


class RestartLoopQuerySet(RevisionedQuerySet["RestartLoop"]):
    def active(self) -> RestartLoopQuerySet:
        """Those whose image is not swapped now."""
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
    count = models.PositiveIntegerField(help_text="Pods that were deleted one after another before it was noticed.")
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
