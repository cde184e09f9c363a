"""Attempts of jobs: live progress, and one row per attempt."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from mirrors.models.jobs.job_errors import ErrorClass
from mirrors.models.jobs.jobs import MirrorJob


class JobProgress(models.Model):
    """Bytes and blobs of a running copy. The row is narrow, because it is written twice a second."""

    job = models.OneToOneField(MirrorJob, on_delete=models.CASCADE, primary_key=True, related_name="progress")
    bytes_total = models.BigIntegerField(default=0)
    bytes_copied = models.BigIntegerField(default=0)
    bytes_mounted = models.BigIntegerField(default=0)
    bytes_skipped = models.BigIntegerField(default=0)
    blobs_total = models.IntegerField(default=0)
    blobs_done = models.IntegerField(default=0)
    moving = models.JSONField(
        default=list, blank=True, db_default=[], help_text="Blobs in transfer: digest, size and bytes sent."
    )
    started_at = models.DateTimeField(db_default=Now())
    updated_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"{self.bytes_copied + self.bytes_mounted + self.bytes_skipped} of {self.bytes_total} bytes"


class AttemptOutcome(models.TextChoices):
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    HANDED_BACK = "handed-back", "Released"
    LOST = "lost"


class MirrorAttempt(models.Model):
    """One claim of a job by a worker."""

    job = models.ForeignKey(MirrorJob, on_delete=models.CASCADE, related_name="attempt_rows", db_index=False)
    number = models.PositiveIntegerField()
    worker = models.CharField(max_length=255)
    started_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=12, choices=AttemptOutcome, default=AttemptOutcome.RUNNING)
    error_class = models.CharField("error type", max_length=20, choices=ErrorClass, blank=True, default="")
    error = models.TextField(blank=True)
    bytes_copied = models.BigIntegerField(default=0)
    log = models.TextField(blank=True)

    class Meta:
        verbose_name = "attempt"
        constraints = [models.UniqueConstraint(fields=["job", "number"], name="attempt_number_unique")]
        indexes = [
            # Covers the sums of copied bytes over time.
            models.Index(
                fields=["finished_at", "bytes_copied"], condition=Q(finished_at__isnull=False), name="attempt_ended"
            ),
            models.Index(
                fields=["outcome", "-id"],
                condition=Q(outcome__in=["running", "cancelled", "handed-back", "lost"]),
                name="attempt_by_rare_outcome",
            ),
        ]

    def __str__(self) -> str:
        return f"Attempt {self.number} of job {self.job_id}"
