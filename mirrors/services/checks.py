"""Tests of registries: asked for here, done by a worker."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from mirrors.models import Registry, RegistryCheck
from mirrors.services.actions import Subject, note_actions
from mirrors.services.wakeup import wake_workers


def request_check(*, registry: Registry, requested_by: str) -> tuple[RegistryCheck, bool]:
    """The live test of a registry, and whether it was ordered just now."""
    with transaction.atomic():
        try:
            with transaction.atomic():
                check = RegistryCheck.objects.create(registry=registry, requested_by=requested_by[:255])
            is_new = True
        except IntegrityError:
            # There is a live one, or it has ended just now.
            check, is_new = RegistryCheck.objects.filter(registry=registry).latest("id"), False
        if is_new:
            note_actions(actor=requested_by, action="test", subjects=[Subject(str(registry))])
            check.refresh_from_db()
        wake_workers()
    return check, is_new
