"""Jobs: requests to copy an image, with their state and their requesters."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Final

from django.db import models
from django.db.models import ExpressionWrapper, F, Q
from django.db.models.functions import Now

from mirrors.models.base.cluster_column import cluster_field
from mirrors.models.images.mappings import ImageMapping
from mirrors.models.jobs.job_errors import ErrorClass, recorded_for, registry_of
from mirrors.vocabulary.bounds import HOST_LENGTH, ReadableDateTimeField
from mirrors.vocabulary.clusters import DEFAULT_CLUSTER


class JobStatus(models.TextChoices):
    PENDING = "pending", "Queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Priority(models.IntegerChoices):
    """Priority of a job; lower values start first."""

    FORCE = 0
    IMMEDIATE = 10
    OPERATOR = 20
    DELAYED = 30
    BACKFILL = 35
    REFRESH = 40


class Trigger(models.TextChoices):
    """The cause for which a job was requested."""

    ADMISSION = "admission"
    OPERATOR = "operator"
    RETRY = "retry"
    REFRESH = "refresh"
    VERIFY = "verify"
    BACKFILL = "backfill"


class ReferrersStatus(models.TextChoices):
    """The result of copying the signatures and other referrers of a job's image. A failure does not fail the job."""

    NOT_CHECKED = "", "Not checked"
    NONE = "none", "The source has none"
    COPIED = "copied", "At the target"
    FAILED = "failed"


READY: Final = Q(status=JobStatus.PENDING, available_at__lte=Now())
"""Pending jobs that are due."""

ABANDONED: Final = Q(status=JobStatus.RUNNING, lease_expires_at__lte=Now(), cancel_requested_at__isnull=True)
"""Running jobs whose lease has expired, and whose cancellation was not requested."""


class MirrorJobQuerySet(models.QuerySet["MirrorJob"]):
    """Predicates that use the database's clock."""

    def live(self) -> MirrorJobQuerySet:
        return self.filter(status__in=MirrorJob.ACTIVE)

    def due(self, *, abandoned: bool = True) -> MirrorJobQuerySet:
        """Jobs with attempts left that a worker may claim now: pending jobs that are due, and abandoned ones."""
        return self.filter(READY | ABANDONED if abandoned else READY, attempts__lt=F("max_attempts"))

    def abandoned(self) -> MirrorJobQuerySet:
        """Jobs with attempts left whose worker did not renew its lease."""
        return self.filter(ABANDONED, attempts__lt=F("max_attempts"))

    def postponed_beyond(self, seconds: float) -> MirrorJobQuerySet:
        """Queued jobs that become due only after more than so many seconds."""
        latest = ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=models.DateTimeField())
        return self.filter(status=JobStatus.PENDING, available_at__gt=latest)

    def without_hosts(self) -> MirrorJobQuerySet:
        """Live jobs that were written by an earlier release, which does not know the columns of hosts."""
        return self.live().filter(source_host="")

    def expired(self) -> MirrorJobQuerySet:
        return self.filter(status=JobStatus.RUNNING, lease_expires_at__lte=Now())

    def at_host(self, host: str) -> MirrorJobQuerySet:
        """Jobs that pull from this host or push to it."""
        return self.filter(Q(source_host=host) | Q(target_host=host))

    def failed_at(self, *hosts: str) -> MirrorJobQuerySet:
        """Jobs with an error of one of these registries, under any name with which the error was recorded."""
        condition = Q(pk__in=[])
        for host in hosts:
            condition |= recorded_for(host)
        return self.filter(condition)


class MirrorJob(models.Model):
    """One request to copy an image. Terminal states never change; a retry is a new job."""

    ACTIVE: ClassVar[frozenset[str]] = frozenset({JobStatus.PENDING, JobStatus.RUNNING})
    TERMINAL: ClassVar[frozenset[str]] = frozenset({JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELLED})

    mapping = models.ForeignKey(ImageMapping, on_delete=models.CASCADE, related_name="jobs", db_index=False)
    status = models.CharField(max_length=10, choices=JobStatus, default=JobStatus.PENDING)
    priority = models.PositiveSmallIntegerField(choices=Priority, default=Priority.DELAYED)
    trigger = models.CharField(max_length=10, choices=Trigger, default=Trigger.ADMISSION)
    requested_by = models.CharField(max_length=255, blank=True, help_text="User or service account.")
    cluster = cluster_field(help_text="Cluster of the namespace; empty: requested by a user.")
    namespace = models.CharField(max_length=63, blank=True, help_text="Busy workers take turns between namespaces.")
    needs_cluster = cluster_field(
        default="",
        help_text="The only cluster whose workers can read the source for its requesters; empty: any worker may try.",
    )
    tried_clusters = models.TextField(
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="Clusters whose workers could not read the source, comma-separated.",
    )
    attempts = models.PositiveSmallIntegerField(default=0)
    max_attempts = models.PositiveSmallIntegerField(default=5)
    claims = models.PositiveIntegerField(
        default=0, help_text="How often workers claimed the job, including claims that they released."
    )
    available_at = ReadableDateTimeField(db_default=Now())
    source_host = models.CharField(
        max_length=HOST_LENGTH,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="Registry that the image is pulled from.",
    )
    target_host = models.CharField(
        max_length=HOST_LENGTH,
        blank=True,
        default="",
        db_default="",
        editable=False,
        help_text="Registry that the image is pushed to.",
    )
    lease_token = models.UUIDField(null=True, blank=True, editable=False)
    lease_expires_at = models.DateTimeField(null=True, blank=True, editable=False)
    cancel_requested_at = models.DateTimeField(null=True, blank=True, editable=False)
    error_class = models.CharField("error type", max_length=20, choices=ErrorClass, blank=True, default="")
    error_message = models.TextField(blank=True)
    error_host = models.CharField(
        max_length=HOST_LENGTH, blank=True, default="", db_default="", help_text="Registry at which the job failed."
    )
    error_says_step = models.BooleanField(
        default=False,
        db_default=False,
        editable=False,
        help_text="Whether the error's message says what to do next; if not, the step of its class is shown.",
    )
    referrers = models.CharField(
        max_length=10,
        choices=ReferrersStatus,
        blank=True,
        default="",
        db_default="",
        help_text="Signatures and other referrers of the image.",
    )
    referrers_error = models.TextField(
        blank=True, default="", db_default="", help_text="Why referrers were not copied; the image itself was."
    )
    retry_of = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, blank=True, related_name="retries", db_index=False
    )
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = MirrorJobQuerySet.as_manager()

    class Meta:
        verbose_name = "job"
        constraints = [
            models.UniqueConstraint(
                fields=["mapping"], condition=Q(status__in=["pending", "running"]), name="job_one_live_a_mapping"
            ),
            models.CheckConstraint(condition=Q(status__in=JobStatus.values), name="job_status_known"),
            models.CheckConstraint(condition=Q(attempts__lte=F("max_attempts")), name="job_attempts_within_max"),
            models.CheckConstraint(
                condition=Q(status="running", lease_token__isnull=False, lease_expires_at__isnull=False)
                | (~Q(status="running") & Q(lease_token__isnull=True, lease_expires_at__isnull=True)),
                name="job_running_holds_lease",
            ),
        ]
        indexes = [
            # In the order of claims. It has the status, because SQLite would otherwise use job_by_status and sort.
            models.Index(
                fields=["status", "priority", "available_at", "id"], condition=Q(status="pending"), name="job_due"
            ),
            models.Index(fields=["lease_expires_at"], condition=Q(status="running"), name="job_running"),
            models.Index(fields=["mapping", "-id"], name="job_of_mapping"),
            models.Index(fields=["status", "error_class", "-id"], name="job_by_status"),
            models.Index(fields=["error_host", "-id"], condition=~Q(error_host=""), name="job_by_error_host"),
            # Jobs that a namespace requested in the last hour, for its quota.
            models.Index(fields=["namespace", "created_at"], name="job_of_namespace"),
            # Covers the dashboard's numbers. The API sorts by it too, so it has all rows.
            models.Index(fields=["finished_at", "status", "error_class", "error_host"], name="job_ended_where"),
            models.Index(fields=["created_at"], name="job_ordered"),
            models.Index(fields=["namespace", "-id"], name="job_in_namespace"),
            # Empty while the only cluster is the default one.
            models.Index(fields=["cluster", "-id"], condition=~Q(cluster=DEFAULT_CLUSTER), name="job_in_cluster"),
            models.Index(fields=["error_class", "-id"], condition=~Q(error_class=""), name="job_by_error_class"),
            models.Index(
                fields=["trigger", "-id"],
                condition=Q(trigger__in=["operator", "retry", "verify"]),
                name="job_by_rare_trigger",
            ),
            models.Index(fields=["-id"], condition=Q(trigger="backfill"), name="job_of_backfill"),
            # Without this index, the database would scan all jobs for each deleted job.
            models.Index(fields=["retry_of"], condition=Q(retry_of__isnull=False), name="job_retried"),
        ]

    @property
    def attempts_not_counted(self) -> int:
        """The claims that do not count against ``max_attempts``: a host was rate limited, or the worker released the
        job."""
        return max(0, self.claims - self.attempts)

    @property
    def failed_registry(self) -> str:
        """The registry at which the job failed, as references name it; empty if it is not known."""
        return registry_of(self.error_host, self.mapping.source, self.mapping.target)

    def __str__(self) -> str:
        return f"job {self.pk}"


class MirrorRequest(models.Model):
    """A requester of a job, with the names of the pull secrets that can be used to read the source."""

    job = models.ForeignKey(MirrorJob, on_delete=models.CASCADE, related_name="requests", db_index=False)
    cluster = cluster_field()
    namespace = models.CharField(max_length=63, blank=True)
    service_account = models.CharField(max_length=253, blank=True)
    secret_names = models.CharField(max_length=2000, blank=True, help_text="Comma-separated, sorted.")
    workload = models.CharField(max_length=253, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "request"
        constraints = [
            models.UniqueConstraint(
                fields=["job", "cluster", "namespace", "service_account", "secret_names"],
                name="request_of_cluster_unique",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.namespace}/{self.workload}"
