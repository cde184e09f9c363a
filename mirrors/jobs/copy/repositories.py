"""Target repositories: the record of their state, and the configured settings, applied to them at a user's request."""

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


def record_state(registry_id: int, name: str, state: RepositoryState) -> None:
    """Record the state of a repository. If the database is unavailable, the state is not recorded, but the copy
    continues."""
    try:
        record_repository(registry_id=registry_id, name=name, state=state)
    except (DatabaseError, InterfaceError):
        connection.close()


def apply_requested(context: WorkerContext) -> None:
    """Apply the configured settings to repositories of the active target for which a user requested that. A failure is
    recorded on the repository's row."""
    target = context.config.target.name
    registry_id = selectors.target_registry_id(endpoint=target.endpoint, prefix=target.prefix)
    if registry_id is None:
        return
    for row in TargetRepository.objects.to_apply().filter(registry_id=registry_id):
        # Claim the request before it is done, so that only one of several workers does it.
        claimed = TargetRepository.objects.to_apply().filter(pk=row.pk)
        if not claimed.update(apply_requested_at=None):
            continue
        try:
            state = context.driver().apply_settings(row.name)
        except Exception as error:
            failure = classify_failure(error)
            log.error("Settings could not be applied to a repository", repository=row.name, error=failure.message)
            TargetRepository.objects.filter(pk=row.pk).update(problem=failure.message)
        else:
            record_repository(registry_id=row.registry_id, name=row.name, state=state)
