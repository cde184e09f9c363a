"""Writes that webhook, jobs, API and pages share; each owns its side effects."""

from mirrors.services.grants import record_grants
from mirrors.services.jobs import JobStateError, cancel_job, retry_job
from mirrors.services.mirroring import MirrorOrder, OrderOutcome, request_mirror, request_mirrors
from mirrors.services.recording import (
    DecisionKey,
    TargetAnswer,
    UseKey,
    record_decisions,
    record_existence,
    record_uses,
)
from mirrors.services.repositories import record_repository, request_settings

__all__ = [
    "DecisionKey",
    "JobStateError",
    "MirrorOrder",
    "OrderOutcome",
    "TargetAnswer",
    "UseKey",
    "cancel_job",
    "record_decisions",
    "record_existence",
    "record_grants",
    "record_repository",
    "record_uses",
    "request_mirror",
    "request_mirrors",
    "request_settings",
    "retry_job",
]
