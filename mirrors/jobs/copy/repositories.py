"""Target repositories on the way: made for a job, and given the configured settings where somebody asked for that."""

from __future__ import annotations

import structlog
from django.db import DatabaseError, InterfaceError, connection

from mirrors import selectors
from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.jobs.copy.failures import classify_failure
from mirrors.models import TargetRepository
from mirrors.registries.registry_driver import RepositoryState
from mirrors.services import record_repository

log = structlog.get_logger(__name__)


def note(registry_id: int, name: str, state: RepositoryState) -> None:
    """Keep what was seen; an unavailable database costs the note, never the copy."""
    try:
        record_repository(registry_id=registry_id, name=name, state=state)
    except (DatabaseError, InterfaceError):
        connection.close()


def apply_requested(context: WorkerContext) -> None:
    """Apply what was asked for at the active target; each failure is kept on its row."""
    target = context.config.target.name
    registry_id = selectors.target_registry_id(endpoint=target.endpoint, prefix=target.prefix)
    if registry_id is None:
        return
    for row in TargetRepository.objects.to_apply().filter(registry_id=registry_id):
        # Taken before it is done: of several workers one does it.
        taken = TargetRepository.objects.to_apply().filter(pk=row.pk)
        if not taken.update(apply_requested_at=None):
            continue
        try:
            state = context.driver().apply_settings(row.name)
        except Exception as error:
            failure = classify_failure(error)
            log.error("Settings could not be applied to a repository", repository=row.name, error=failure.message)
            TargetRepository.objects.filter(pk=row.pk).update(problem=failure.message)
        else:
            record_repository(registry_id=row.registry_id, name=row.name, state=state)
