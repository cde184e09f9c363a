"""Connection tests of registries: requested here, run by a worker."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from mirrors.models import Registry, RegistryCheck
from mirrors.services.jobs.activity import Subject, note_actions
from mirrors.services.jobs.wakeup import wake_workers


def request_check(*, registry: Registry, requested_by: str) -> tuple[RegistryCheck, bool]:
    """The active test of a registry, and whether it was created by this call."""
    with transaction.atomic():
        try:
            with transaction.atomic():
                check = RegistryCheck.objects.create(registry=registry, requested_by=requested_by[:255])
            is_new = True
        except IntegrityError:
            # There is an active one, or it has just finished.
            check, is_new = RegistryCheck.objects.filter(registry=registry).latest("id"), False
        if is_new:
            note_actions(actor=requested_by, action="test", subjects=[Subject(str(registry))])
            check.refresh_from_db()
        wake_workers()
    return check, is_new
