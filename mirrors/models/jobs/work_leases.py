"""Leases on work that one process at a time does on behalf of all processes."""

from __future__ import annotations

from django.db import models


class WorkLease(models.Model):
    """The right to do the named work until ``expires_at``. Its holder renews it."""

    name = models.CharField(max_length=80, unique=True)
    holder = models.CharField(max_length=255, help_text="Host (in a cluster, the pod), process ID and a random part.")
    expires_at = models.DateTimeField()

    class Meta:
        verbose_name = "lease"

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"
