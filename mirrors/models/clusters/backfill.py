"""Backfills: runs that mirror the images that a cluster already runs, and the images of each run."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from mirrors.models.images.mappings import REFERENCE_LENGTH
from mirrors.models.jobs.jobs import MirrorJob


class BackfillState(models.TextChoices):
    PREVIEW = "preview"
    """Images are checked and measured. Nothing is copied until the run is started."""
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    FINISHED = "finished"


class BackfillRunQuerySet(models.QuerySet["BackfillRun"]):
    def active(self) -> BackfillRunQuerySet:
        """Runs that copy or are paused."""
        return self.filter(state__in=[BackfillState.RUNNING, BackfillState.PAUSED])


class BackfillRun(models.Model):
    """One run over a cluster, which has at most one open run at a time. ``resumed_at`` and ``done_before`` serve to
    estimate the remaining time."""

    OPEN: ClassVar[frozenset[str]] = frozenset({BackfillState.PREVIEW, BackfillState.RUNNING, BackfillState.PAUSED})

    cluster = models.CharField(max_length=63)
    state = models.CharField(max_length=10, choices=BackfillState, default=BackfillState.PREVIEW)
    requested_by = models.CharField(
        max_length=255, blank=True, help_text="User; empty if the configuration started it."
    )
    problem = models.TextField(blank=True, help_text="Why the backfill does not continue, and what to do.")
    images = models.PositiveIntegerField(default=0, help_text="Images that the backfill mirrors.")
    excluded = models.PositiveIntegerField(default=0, help_text="Images that an admission would not mirror either.")
    bytes_total = models.BigIntegerField(default=0, help_text="Size of the images whose manifests were read.")
    unmeasured = models.PositiveIntegerField(default=0, help_text="Images whose size is not known.")
    counted_pulls = models.PositiveIntegerField(
        default=0, help_text="Manifests that registries with a pull limit, such as Docker Hub, will count."
    )
    seconds_estimated = models.FloatField(
        default=0.0, help_text="Minimum duration in seconds under the rate limits of the registries."
    )
    created_at = models.DateTimeField(db_default=Now())
    previewed_at = models.DateTimeField(null=True, blank=True, help_text="When the preview was complete.")
    started_at = models.DateTimeField(null=True, blank=True)
    resumed_at = models.DateTimeField(null=True, blank=True, help_text="When the backfill last started to run.")
    done_before = models.PositiveIntegerField(default=0, help_text="Images already finished when the run last started.")
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = BackfillRunQuerySet.as_manager()

    class Meta:
        verbose_name = "backfill"
        verbose_name_plural = "backfills"
        constraints = [
            models.UniqueConstraint(
                fields=["cluster"], condition=Q(state__in=["preview", "running", "paused"]), name="backfill_one_open"
            ),
            models.CheckConstraint(condition=Q(state__in=BackfillState.values), name="backfill_state_known"),
        ]

    @property
    def is_open(self) -> bool:
        return self.state in self.OPEN

    def __str__(self) -> str:
        return f"backfill {self.pk} of {self.cluster}"


class BackfillImageState(models.TextChoices):
    FOUND = "found"
    """Not checked yet."""
    READY = "ready"
    SKIPPED = "skipped", "Excluded"
    QUEUED = "queued"
    MIRRORED = "mirrored"
    FAILED = "failed"
    CANCELLED = "cancelled"


class BackfillImage(models.Model):
    """An image of a run. Images with a lower ``rank`` are mirrored first."""

    OVER: ClassVar[frozenset[str]] = frozenset(
        {BackfillImageState.MIRRORED, BackfillImageState.FAILED, BackfillImageState.CANCELLED}
    )

    run = models.ForeignKey(BackfillRun, on_delete=models.CASCADE, related_name="candidates", db_index=False)
    source = models.CharField(max_length=REFERENCE_LENGTH, help_text="Original image.")
    rank = models.PositiveIntegerField(
        help_text="Position in the order: first images that pods wait for, then the most used."
    )
    pods = models.PositiveIntegerField(default=0)
    workloads = models.PositiveIntegerField(default=0)
    is_awaited = models.BooleanField(default=False, help_text="Whether pods are waiting for it.")
    state = models.CharField(max_length=10, choices=BackfillImageState, default=BackfillImageState.FOUND)
    reason = models.CharField(max_length=40, blank=True, help_text="Why the image is excluded.")
    details = models.CharField(max_length=300, blank=True)
    is_measured = models.BooleanField(default=False, help_text="Whether its manifests were requested.")
    size_bytes = models.BigIntegerField(
        null=True, blank=True, help_text="Size according to its manifests, if they were read."
    )
    manifests = models.PositiveIntegerField(null=True, blank=True)
    blobs = models.PositiveIntegerField(null=True, blank=True)
    job = models.ForeignKey(
        MirrorJob, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_index=False
    )

    class Meta:
        verbose_name = "image of a backfill"
        verbose_name_plural = "images of backfills"
        constraints = [
            models.UniqueConstraint(fields=["run", "source"], name="backfill_image_unique"),
            models.CheckConstraint(condition=Q(state__in=BackfillImageState.values), name="backfill_image_state_known"),
        ]
        indexes = [
            models.Index(fields=["run", "state", "rank"], name="backfill_image_order"),
            # The order of the list in the admin: the newest run first.
            models.Index(fields=["-run", "rank"], name="backfill_image_listed"),
            # Without this index, the database would scan all images for each deleted job.
            models.Index(fields=["job"], condition=Q(job__isnull=False), name="backfill_image_of_job"),
        ]

    def __str__(self) -> str:
        return self.source
