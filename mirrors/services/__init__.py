"""Writes that webhook, workers, API and admin share, each with its side effects. Start with ``jobs/mirroring.py``.

Other packages import the services from here, and helpers of one service from its file.
"""

from mirrors.services.clusters.backfill import cancel_run, pause_run, request_preview, resume_run, start_run
from mirrors.services.clusters.pull_failures import recover_missing
from mirrors.services.clusters.suspensions import FoundLoop, declare_healthy, prune_loops, record_loop, release_loops
from mirrors.services.configuration.processes import holder_name, instance_name, report_instance, withdraw_instance
from mirrors.services.configuration.registry_checks import request_check
from mirrors.services.configuration.repositories import record_repository, request_settings
from mirrors.services.images.admissions import SampledReview, record_samples
from mirrors.services.images.grants import record_grants
from mirrors.services.images.image_batches import NamedImage, request_batch, request_image
from mirrors.services.images.mappings import forget_mappings, mirror_mappings, set_paused, verify_mappings
from mirrors.services.images.recording import (
    DecisionKey,
    TargetAnswer,
    UseKey,
    record_decisions,
    record_existence,
    record_uses,
)
from mirrors.services.jobs.hosts import resume_hosts
from mirrors.services.jobs.jobs import (
    BulkResult,
    cancel_job,
    cancel_jobs,
    failed_last,
    retry_failed,
    retry_jobs,
    set_priority,
)
from mirrors.services.jobs.mirroring import active_target, refusal_of, request_copies, request_images
from mirrors.services.jobs.refused_actions import ActionRefusedError
from mirrors.services.jobs.requested_copy import RequestedCopy, RequestOutcome

__all__ = [
    "BulkResult",
    "RequestedCopy",
    "DecisionKey",
    "FoundLoop",
    "ActionRefusedError",
    "NamedImage",
    "RequestOutcome",
    "SampledReview",
    "TargetAnswer",
    "UseKey",
    "active_target",
    "cancel_job",
    "cancel_jobs",
    "cancel_run",
    "declare_healthy",
    "failed_last",
    "forget_mappings",
    "holder_name",
    "instance_name",
    "mirror_mappings",
    "prune_loops",
    "pause_run",
    "record_decisions",
    "record_existence",
    "record_grants",
    "record_loop",
    "record_repository",
    "record_samples",
    "record_uses",
    "recover_missing",
    "refusal_of",
    "release_loops",
    "report_instance",
    "request_batch",
    "request_check",
    "request_copies",
    "request_image",
    "request_images",
    "request_preview",
    "request_settings",
    "resume_hosts",
    "resume_run",
    "retry_failed",
    "retry_jobs",
    "set_paused",
    "set_priority",
    "start_run",
    "verify_mappings",
    "withdraw_instance",
]
