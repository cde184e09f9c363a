"""After a node with a new platform has joined: images that were mirrored without the platform are copied again, a few
at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import structlog

from mirrors import selectors
from mirrors.jobs.timing import from_now
from mirrors.models import Existence, ImageMapping, JobStatus, MirrorJob, MirrorRequest, Priority, Trigger
from mirrors.selectors.clusters.node_platforms import PlatformChoice, platforms_to_mirror
from mirrors.services import RequestedCopy, request_copies
from swapper_project.config import Config

log = structlog.get_logger(__name__)

QUEUED_AT_ONCE: Final = 100
"""The maximum number of refreshes in the queue: a few minutes' work of one worker, so that other refreshes do not wait
for long."""

COPY_AGAIN_AFTER: Final = 600.0
"""Seconds between two of these copies of one image: a platform that the last copy did not find is probably still
missing at the source."""

UNLISTED_PLATFORM: Final = "*"
"""A platform that no list contains, so that each list lacks it. It is used if the nodes are not known."""

MOST_REQUESTERS: Final = 5
"""The maximum number of requesters that are taken over from the last copy, for their pull secrets."""


def request_missing(config: Config) -> int:
    """Queue copies of images that lack a platform of the nodes, and return their number. Images whose last job failed
    are skipped: new pods request them."""
    if config.platforms != "auto" or config.dry_run or config.image_copy_policy == "none":
        return 0
    choice = platforms_to_mirror(config)
    name = config.target.name
    registry_id = selectors.target_registry_id(endpoint=name.endpoint, prefix=name.prefix)
    # Without recent platforms, copy all platforms only for a cluster whose nodes were never listed. A watcher that has
    # stopped is not a reason: its cluster still has the platforms that were listed before.
    if registry_id is None or not (choice.platforms or choice.never_listed):
        return 0
    capacity = _queue_capacity(registry_id)
    rows = _images_without_platforms(registry_id, choice, capacity) if capacity > 0 else []
    if rows:
        requests = [request for row in rows for request in _requests_for(row)]
        request_copies(target_registry_id=registry_id, requests=requests)
        log.info(
            "Images lack a platform of the nodes and are copied again", images=len(rows), platforms=choice.explanation
        )
    return len(rows)


def _images_without_platforms(registry_id: int, choice: PlatformChoice, limit: int) -> list[ImageMapping]:
    """Return up to ``limit`` images that lack a platform, the most recently used first."""
    limited = ImageMapping.objects.filter(target_registry_id=registry_id).exclude(only_platforms="")
    platform_lists = limited.order_by().values_list("only_platforms", flat=True).distinct()
    required = set(choice.platforms or (UNLISTED_PLATFORM,))
    lacking = [platform_list for platform_list in platform_lists if not required <= set(platform_list.split(","))]
    if not lacking:
        return []
    rows = limited.filter(
        only_platforms__in=lacking,
        existence=Existence.PRESENT,
        paused=False,
        last_job__status=JobStatus.SUCCEEDED,
        last_job__finished_at__lt=from_now(-COPY_AGAIN_AFTER),
    )
    return list(rows.order_by("-last_seen_at", "-pk")[:limit])


def _queue_capacity(registry_id: int) -> int:
    """Return how many copies can be queued, after subtracting all refreshes that are queued already."""
    waiting = MirrorJob.objects.filter(
        mapping__target_registry_id=registry_id, status=JobStatus.PENDING, priority=Priority.REFRESH
    )
    return QUEUED_AT_ONCE - waiting[:QUEUED_AT_ONCE].count()


def _requests_for(row: ImageMapping) -> list[RequestedCopy]:
    """Return the requests for an image, with the requesters of its last copy, because their pull secrets may be needed
    to read the source."""
    last_requests = MirrorRequest.objects.filter(job_id=row.last_job_id).exclude(namespace="").order_by("-pk")
    base_request = RequestedCopy(row.source, row.target, Trigger.REFRESH, Priority.REFRESH, cluster="")
    return [
        replace(
            base_request,
            cluster=last.cluster,
            namespace=last.namespace,
            service_account=last.service_account,
            secret_names=tuple(filter(None, last.secret_names.split(","))),
            workload=last.workload,
        )
        for last in last_requests[:MOST_REQUESTERS]
    ] or [base_request]
