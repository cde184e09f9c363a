"""Leases for work that one process does for all. Another process takes over when the lease expires."""

from __future__ import annotations

from typing import Final

from django.db.models import Q
from django.db.models.functions import Now

from mirrors.jobs.timing import from_now
from mirrors.models import WorkLease

EXISTENCE: Final = "existence"
"""The lease for checking which known images the target still has."""


def hold(name: str, holder: str, seconds: float) -> bool:
    """Acquire or renew the lease for so many seconds. Returns False if another process holds it."""
    is_mine = Q(holder=holder) | Q(expires_at__lte=Now())
    if WorkLease.objects.filter(is_mine, name=name).update(holder=holder, expires_at=from_now(seconds)):
        return True
    if WorkLease.objects.filter(name=name).exists():
        return False
    WorkLease.objects.bulk_create(
        [WorkLease(name=name, holder=holder, expires_at=from_now(seconds))], ignore_conflicts=True
    )
    return WorkLease.objects.filter(name=name, holder=holder).exists()


def release_lease(name: str, holder: str) -> None:
    WorkLease.objects.filter(name=name, holder=holder).delete()


def is_held(name: str) -> bool:
    return WorkLease.objects.filter(name=name, expires_at__gt=Now()).exists()
