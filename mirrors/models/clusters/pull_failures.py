"""Images that the nodes of a cluster cannot pull."""

from __future__ import annotations

import hashlib

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from mirrors.models.clusters.clusters import KEY_LENGTH
from mirrors.models.images.mappings import REFERENCE_LENGTH
from mirrors.vocabulary.clusters import DEFAULT_CLUSTER
from mirrors.vocabulary.pull_causes import PullCause, PullSide

CAUSES = [(cause.value, cause.value.replace("-", " ").capitalize()) for cause in PullCause]
SIDES = [(side.value, f"{side.value.capitalize()} registry") for side in PullSide]


class PullFailure(models.Model):
    """An image that nodes of a cluster cannot pull for one cause. The row is deleted when no pod fails any more."""

    cluster = models.CharField(max_length=63, default=DEFAULT_CLUSTER, db_default=DEFAULT_CLUSTER)
    key = models.CharField(max_length=KEY_LENGTH, editable=False, help_text="See key_of.")
    image = models.CharField(max_length=REFERENCE_LENGTH, help_text="Image as named in the pods.")
    source = models.CharField(max_length=REFERENCE_LENGTH, blank=True, help_text="Original image, if known.")
    at = models.CharField("failed at", max_length=6, choices=SIDES, help_text="Registry that the nodes pull from.")
    cause = models.CharField(max_length=20, choices=CAUSES)
    message = models.TextField(blank=True, help_text="What the kubelet of one of the nodes reported.")
    pods = models.PositiveIntegerField(default=0)
    nodes = models.PositiveIntegerField(default=0)
    namespaces = models.JSONField(default=list, blank=True, help_text="Some of the namespaces.")
    samples = models.JSONField(default=list, blank=True, help_text="Some of the pods, with workload and node.")
    is_mirrored = models.BooleanField(
        default=False, help_text="Whether the target has the image, and these namespaces may use it."
    )
    asked_at = models.DateTimeField(
        null=True, blank=True, help_text="When the image was last requested again, because the target did not have it."
    )
    first_seen_at = models.DateTimeField(db_default=Now())
    last_seen_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name = "failing pull"
        constraints = [
            models.UniqueConstraint(fields=["cluster", "key"], name="pull_failure_unique"),
            models.CheckConstraint(
                condition=Q(cause__in=[value for value, _ in CAUSES]), name="pull_failure_cause_known"
            ),
            models.CheckConstraint(condition=Q(at__in=[value for value, _ in SIDES]), name="pull_failure_side_known"),
        ]
        indexes = [
            models.Index(fields=["source"], name="pull_failure_by_source"),
            models.Index(fields=["cause", "at"], name="pull_failure_by_cause"),
        ]

    @staticmethod
    def key_of(image: str, cause: str) -> str:
        return hashlib.sha256(f"{image}\n{cause}".encode(errors="replace")).hexdigest()[:KEY_LENGTH]

    @property
    def would_start(self) -> bool:
        """Whether a new pod would start from the mirror, while the failing pods wait for the source."""
        return self.at == PullSide.SOURCE and self.is_mirrored

    def __str__(self) -> str:
        return self.image
