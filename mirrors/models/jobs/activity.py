"""Activity of users on jobs, mappings, registries and repositories. Changes to the configuration are recorded in the
change history."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from mirrors.models.images.mappings import ImageMapping
from mirrors.models.jobs.jobs import MirrorJob


class OperatorAction(models.Model):
    """One action of a user, in the admin or the API. The row is kept when the subject of the action is deleted."""

    actor = models.CharField(max_length=255)
    token = models.CharField(
        max_length=200, blank=True, default="", db_default="", help_text="API token that the user used."
    )
    action = models.CharField(max_length=30)
    subject = models.CharField(max_length=800, blank=True, help_text="Image or repository.")
    details = models.CharField(max_length=500, blank=True)
    mapping = models.ForeignKey(ImageMapping, on_delete=models.SET_NULL, null=True, blank=True, db_index=False)
    job = models.ForeignKey(MirrorJob, on_delete=models.SET_NULL, null=True, blank=True, db_index=False)
    created_at = models.DateTimeField(db_default=Now(), db_index=True)

    class Meta:
        verbose_name = "action"
        verbose_name_plural = "activity"
        indexes = [
            models.Index(fields=["mapping"], condition=Q(mapping__isnull=False), name="action_of_mapping"),
            models.Index(fields=["job"], condition=Q(job__isnull=False), name="action_of_job"),
        ]

    @property
    def who(self) -> str:
        """The user, and the API token if the user used one."""
        return f"{self.actor}, token {self.token}" if self.token else self.actor

    def __str__(self) -> str:
        return f"{self.who}: {self.action} {self.subject}"
