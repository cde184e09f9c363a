"""Actions of users on mappings: mirror now, verify, pause, resume, forget."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from mirrors.models import ImageMapping, JobStatus, MirrorJob, Revision, Trigger
from mirrors.services.jobs.activity import Subject, record_actions
from mirrors.services.jobs.jobs import BulkResult, batches
from mirrors.services.jobs.mirroring import request_mapped
from mirrors.services.jobs.requested_copy import RequestedCopy


def mirror_mappings(*, mapping_ids: Collection[int], requested_by: str) -> BulkResult:
    """Request copies of the images now. If the target has an image already, source and target are compared."""
    return _request(mapping_ids, Trigger.OPERATOR, "mirror", requested_by)


def verify_mappings(*, mapping_ids: Collection[int], requested_by: str) -> BulkResult:
    """Request verifications: a worker checks that the target has the images unchanged, and copies nothing."""
    return _request(mapping_ids, Trigger.VERIFY, "verify", requested_by)


def set_paused(*, mapping_ids: Collection[int], paused: bool, requested_by: str) -> int:
    """Pause or resume mirroring and swapping of the images. Return how many were changed."""
    changed = 0
    for ids in batches(mapping_ids):
        with transaction.atomic():
            rows = list(ImageMapping.objects.filter(id__in=ids, paused=not paused).select_for_update().order_by("id"))
            changed += ImageMapping.objects.filter(id__in=[row.id for row in rows]).record(paused=paused)
            action = "pause" if paused else "resume"
            record_actions(actor=requested_by, action=action, subjects=[Subject(row.source, row.id) for row in rows])
    return changed


def forget_mappings(*, mapping_ids: Collection[int], requested_by: str) -> tuple[int, list[str]]:
    """Delete mappings with their history. The images stay at the target. Return how many were deleted, and why others
    were skipped.

    The next pod that uses such an image creates a new mapping.
    """
    forgotten, refusals = 0, []
    for ids in batches(mapping_ids):
        with transaction.atomic():
            rows = list(ImageMapping.objects.filter(id__in=ids).select_for_update().order_by("id"))
            busy = set(
                MirrorJob.objects.filter(mapping__in=rows, status=JobStatus.RUNNING).values_list("mapping", flat=True)
            )
            refusals += [f"{row.source} is being copied: cancel its job first." for row in rows if row.id in busy]
            deleted = [row for row in rows if row.id not in busy]
            record_actions(actor=requested_by, action="forget", subjects=[Subject(row.source) for row in deleted])
            ImageMapping.objects.filter(id__in=[row.id for row in deleted]).delete()
            # Webhooks find changed rows by their time of change, and deleted rows by this revision.
            Revision.bump(ImageMapping)
            forgotten += len(deleted)
    return forgotten, refusals


def _request(mapping_ids: Collection[int], trigger: Trigger, action: str, requested_by: str) -> BulkResult:
    result = BulkResult()
    for ids in batches(mapping_ids):
        with transaction.atomic():
            rows = list(ImageMapping.objects.filter(id__in=ids).order_by("id"))
            result.refusals += [f"{row.source} is paused: resume it first." for row in rows if row.paused]
            outcomes = request_mapped(
                (row, RequestedCopy.of_mapping(row, trigger=trigger, requested_by=requested_by))
                for row in rows
                if not row.paused
            )
            job_ids = [o.job_id for o in outcomes if o.job_id]
            created = {o.mapping_id: o.job_id for o in outcomes if o.mapping_id and o.job_id and o.is_new}
            result.jobs += MirrorJob.objects.select_related("mapping").filter(id__in=job_ids).order_by("id")
            result.created_ids.update(created.values())
            subjects = [Subject(row.source, row.id, created[row.id]) for row in rows if row.id in created]
            record_actions(actor=requested_by, action=action, subjects=subjects)
    return result
