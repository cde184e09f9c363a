"""After a node of a new platform has joined: images that were mirrored without it are copied again, a few at a time."""

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
"""Such copies that are queued at a time: a few minutes of one worker, so that others do not wait behind them."""

COPY_AGAIN_AFTER: Final = 600.0
"""Seconds between two of them for one image: what the last one did not bring, the next one does not either."""

EVERY_OTHER: Final = "*"
"""In no list of platforms: what any of them lacks where the nodes are not known."""

MOST_REQUESTERS: Final = 5
"""Requesters of the last copy that are named again, for the pull secrets with which they read the source."""


def request_missing(config: Config) -> int:
    """Queues copies of images that lack a platform of the nodes; how many. Those that failed are left to pods."""
    if config.platforms != "auto" or config.dry_run or config.image_copy_policy == "none":
        return 0
    choice = platforms_to_mirror(config)
    name = config.target.name
    registry_id = selectors.target_registry_id(endpoint=name.endpoint, prefix=name.prefix)
    # Of a watcher that stopped for a while nothing follows: only what was never known may be anything.
    if registry_id is None or not (choice.platforms or choice.never_listed):
        return 0
    room = _room(registry_id)
    rows = _lacking(registry_id, choice, room) if room > 0 else []
    if rows:
        requests = [request for row in rows for request in _requests_for(row)]
        request_copies(target_registry_id=registry_id, requests=requests)
        log.info("Images lack a platform of the nodes and are copied again", images=len(rows), platforms=choice.words)
    return len(rows)


def _lacking(registry_id: int, choice: PlatformChoice, most: int) -> list[ImageMapping]:
    """The most recently used first."""
    limited = ImageMapping.objects.filter(target_registry_id=registry_id).exclude(only_platforms="")
    kinds = limited.order_by().values_list("only_platforms", flat=True).distinct()
    wanted = set(choice.platforms or (EVERY_OTHER,))
    lacking = [kind for kind in kinds if not wanted <= set(kind.split(","))]
    if not lacking:
        return []
    rows = limited.filter(
        only_platforms__in=lacking,
        existence=Existence.PRESENT,
        paused=False,
        last_job__status=JobStatus.SUCCEEDED,
        last_job__finished_at__lt=from_now(-COPY_AGAIN_AFTER),
    )
    return list(rows.order_by("-last_seen_at", "-pk")[:most])


def _room(registry_id: int) -> int:
    """Refreshes that wait already count too."""
    waiting = MirrorJob.objects.filter(
        mapping__target_registry_id=registry_id, status=JobStatus.PENDING, priority=Priority.REFRESH
    )
    return QUEUED_AT_ONCE - waiting[:QUEUED_AT_ONCE].count()


def _requests_for(row: ImageMapping) -> list[RequestedCopy]:
    """In the name of those who requested the last copy: their pull secrets may be the ones that read the source."""
    asked = MirrorRequest.objects.filter(job_id=row.last_job_id).exclude(namespace="").order_by("-pk")
    plain = RequestedCopy(row.source, row.target, Trigger.REFRESH, Priority.REFRESH, cluster="")
    return [
        replace(
            plain,
            cluster=one.cluster,
            namespace=one.namespace,
            service_account=one.service_account,
            secret_names=tuple(filter(None, one.secret_names.split(","))),
            workload=one.workload,
        )
        for one in asked[:MOST_REQUESTERS]
    ] or [plain]
