"""Tests of registries: asked for here, done by a worker."""

from __future__ import annotations

from django.db import transaction

from mirrors.models import CheckStatus, Registry, RegistryCheck
from mirrors.services.actions import Subject, note_actions
from mirrors.wakeup import wake_workers


def request_check(*, registry: Registry, requested_by: str) -> tuple[RegistryCheck, bool]:
    """The live test of a registry, and whether it was ordered just now."""
    with transaction.atomic():
        RegistryCheck.objects.bulk_create(
            [RegistryCheck(registry=registry, requested_by=requested_by[:255])], ignore_conflicts=True
        )
        live = RegistryCheck.objects.filter(registry=registry, status__in=RegistryCheck.LIVE)
        check = live.order_by("-id").first() or RegistryCheck.objects.filter(registry=registry).latest("id")
        is_new = check.status == CheckStatus.PENDING and check.requested_by == requested_by
        if is_new:
            note_actions(actor=requested_by, action="test", subjects=[Subject(str(registry))])
        wake_workers()
    return check, is_new
