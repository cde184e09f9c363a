"""Requests for connection tests of registries, which a worker runs."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from mirrors.models import Registry, RegistryCheck
from mirrors.services.jobs.activity import Subject, record_actions
from mirrors.services.jobs.wakeup import wake_workers


def request_check(*, registry: Registry, requested_by: str) -> tuple[RegistryCheck, bool]:
    """Request a connection test. Return the active test of the registry, and whether this call created it."""
    with transaction.atomic():
        try:
            with transaction.atomic():
                check = RegistryCheck.objects.create(registry=registry, requested_by=requested_by[:255])
            is_new = True
        except IntegrityError:
            # A test is active, or has just finished.
            check, is_new = RegistryCheck.objects.filter(registry=registry).latest("id"), False
        if is_new:
            record_actions(actor=requested_by, action="test", subjects=[Subject(str(registry))])
            check.refresh_from_db()
        wake_workers()
    return check, is_new
