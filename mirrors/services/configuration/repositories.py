"""Records of target repositories, and requests to apply the configured settings to them."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from django.db import transaction
from django.db.models.functions import Now

from mirrors.models import TargetRepository
from mirrors.registries.registry_driver import RepositoryState
from mirrors.selectors.queries.fixed_query import Argument, fixed_insert
from mirrors.services.jobs.activity import Subject, record_actions
from mirrors.services.jobs.wakeup import wake_workers


def record_repository(*, registry_id: int, name: str, state: RepositoryState) -> None:
    """Record the state that a driver has just read. If it read none, keep the recorded state, or add a new row."""
    if not state.was_inspected:
        _insert_row(registry_id, name)
        return
    differences = [difference.as_json() for difference in state.differences or ()]
    TargetRepository.objects.update_or_create(
        registry_id=registry_id,
        name=name,
        defaults={
            "facts": dict(state.facts),
            "differences": differences,
            "has_differences": bool(differences),
            "pulls_through": state.pulls_through,
            "problem": "",
            "checked_at": Now(),
        },
    )


@partial(fixed_insert, unique=("registry", "name"))
def _insert_row(registry_id: Argument, name: Argument) -> TargetRepository:
    return TargetRepository(registry_id=registry_id, name=name)


def request_settings(*, repository_ids: Collection[int], requested_by: str) -> int:
    """Request that workers apply the configured settings to those of the repositories that differ. Return their
    number."""
    with transaction.atomic():
        differing = TargetRepository.objects.filter(pk__in=repository_ids, has_differences=True)
        subjects = [Subject(name) for name in differing.values_list("name", flat=True)]
        count = differing.update(apply_requested_at=Now(), problem="")
        record_actions(actor=requested_by, action="apply settings", subjects=subjects)
        if count:
            wake_workers()
    return count
