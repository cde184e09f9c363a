"""Clusters, as their watchers see them: nodes, and images by workload."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import Final

from django.db import models
from django.db.models import ExpressionWrapper, Q
from django.db.models.functions import Now
from django.utils import timezone

from mirrors.models.images.mappings import DIGEST_LENGTH, REFERENCE_LENGTH
from mirrors.vocabulary.kept_reasons import DETAILS_LENGTH, REASON_LENGTH

KEY_LENGTH = 40
"""Characters of ``RunningImage.key``: 160 bits of a SHA-256 as hexadecimal digits."""


STALE_AFTER: Final = timedelta(minutes=5)
"""The time without a report of its watcher after which a cluster is stale. Watchers report every ten seconds, and
another one takes over within a minute."""


class ClusterQuerySet(models.QuerySet["Cluster"]):
    def stale(self) -> ClusterQuerySet:
        """Clusters whose watcher has stopped reporting, so that their data may be out of date."""
        return self.filter(seen_at__lt=ExpressionWrapper(Now() - STALE_AFTER, output_field=models.DateTimeField()))


class Cluster(models.Model):
    """A cluster that is watched. ``listed_at`` is when the watcher last had read all of it. While it is None, nothing
    counts as missing."""

    name = models.CharField(max_length=63, unique=True)
    version = models.CharField(max_length=40, blank=True, help_text="Version of Kubernetes.")
    pods = models.PositiveIntegerField(default=0)
    nodes = models.PositiveIntegerField(default=0)
    platforms = models.JSONField(default=list, blank=True, help_text="Platforms of its nodes, such as linux/amd64.")
    namespaces = models.JSONField(default=list, blank=True, help_text="Namespaces that are watched; empty: all.")
    problem = models.TextField(blank=True, help_text="Why the cluster cannot be read completely, and what to do.")
    scope_problem = models.TextField(
        blank=True,
        db_default="",
        help_text="Why it is unknown which pods the API server sends to the webhook, and what to do.",
    )
    listed_at = models.DateTimeField(null=True, blank=True)
    seen_at = models.DateTimeField(db_default=Now(), help_text="When its watcher last reported.")

    objects = ClusterQuerySet.as_manager()

    @property
    def is_stale(self) -> bool:
        return timezone.now() - self.seen_at > STALE_AFTER

    def __str__(self) -> str:
        return self.name


class ClusterNode(models.Model):
    """A node of a cluster. ``pulled_at`` is when a container with an image of the target was last seen to have started
    on the node."""

    cluster = models.CharField(max_length=63)
    name = models.CharField(max_length=253)
    platform = models.CharField(max_length=40, blank=True)
    ready = models.BooleanField(default=False)
    pulled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "node"
        constraints = [models.UniqueConstraint(fields=["cluster", "name"], name="cluster_node_unique")]

    def __str__(self) -> str:
        return f"{self.cluster}/{self.name}"


class RunningState(models.TextChoices):
    """The state of an image in a workload: ``failing`` if a container of one of the pods cannot pull the image."""

    RUNNING = "running"
    STARTING = "starting"
    FAILING = "failing"
    TEMPLATE = "template", "Not running"
    """A workload names the image, but has no pod with it: it is scaled to zero, suspended, or between two runs."""
    ENDED = "ended"
    """The image no longer runs in the workload. The row is deleted later."""


class RunningImageQuerySet(models.QuerySet["RunningImage"]):
    def current(self) -> RunningImageQuerySet:
        return self.exclude(state=RunningState.ENDED)


class RunningImage(models.Model):
    """An image in a workload of a cluster, which the pods run or the template names.

    ``source`` is the canonical reference that the workload names. If the workload names an image at the target, it is
    the source of that image's mapping, and empty if there is no such mapping.
    """

    cluster = models.CharField(max_length=63)
    key = models.CharField(max_length=KEY_LENGTH, editable=False, help_text="See key_of.")
    namespace = models.CharField(max_length=63)
    workload_kind = models.CharField(max_length=63, blank=True)
    workload = models.CharField(max_length=253, blank=True)
    source = models.CharField(max_length=REFERENCE_LENGTH, blank=True, help_text="Original image.")
    image = models.CharField(max_length=REFERENCE_LENGTH, help_text="Image as named in the pods or the template.")
    digest = models.CharField(max_length=DIGEST_LENGTH, blank=True, help_text="Digest that runs, if known.")
    pods = models.PositiveIntegerField(default=0)
    nodes = models.PositiveIntegerField(default=0)
    pod_name = models.CharField(max_length=253, blank=True, help_text="One of the pods.")
    in_template = models.BooleanField(default=False, help_text="Whether the template of the workload names the image.")
    state = models.CharField(max_length=10, choices=RunningState)
    kept = models.CharField(
        max_length=REASON_LENGTH,
        blank=True,
        db_default="",
        help_text="Why a new pod would run from the source; empty if it would not.",
    )
    kept_details = models.CharField(
        max_length=DETAILS_LENGTH, blank=True, db_default="", help_text="The filter that matches."
    )
    decided_for = models.CharField(
        max_length=16,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="Rules that the decision is based on.",
    )
    decided_at = models.DateTimeField(null=True, blank=True, help_text="When this decision was last made.")
    first_seen_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(
        db_default=Now(),
        help_text="When the row last changed; if the image no longer runs, when it was last seen.",
    )

    objects = RunningImageQuerySet.as_manager()

    class Meta:
        verbose_name = "running image"
        constraints = [
            models.UniqueConstraint(fields=["cluster", "key"], name="running_image_unique"),
            models.CheckConstraint(condition=Q(state__in=RunningState.values), name="running_image_state_known"),
        ]
        indexes = [
            models.Index(fields=["cluster", "namespace", "workload"], name="running_by_workload"),
            models.Index(fields=["source"], name="running_by_source"),
            models.Index(fields=["state", "-id"], name="running_by_state"),
            models.Index(fields=["last_seen_at"], condition=Q(state="ended"), name="running_ended"),
        ]

    @staticmethod
    def key_of(namespace: str, kind: str, workload: str, image: str, digest: str) -> str:
        """Return a hash of the values that identify a row in its cluster, which together are too long for an index."""
        parts = "\n".join((namespace, kind, workload, image, digest))
        return hashlib.sha256(parts.encode(errors="replace")).hexdigest()[:KEY_LENGTH]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.workload}: {self.source or self.image}"
