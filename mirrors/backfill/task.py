"""The backfill task of the leading watcher. ``manage.py backfill`` does the same work while it follows a run."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.utils import timezone

from mirrors.backfill.running import BackfillRunner
from mirrors.jobs.queue import work_leases
from mirrors.models import BackfillRun, BackfillState
from mirrors.selectors.clusters import backfill as backfills
from mirrors.services import ActionRefusedError, holder_name
from mirrors.services.clusters.backfill import cancel_run, request_preview, start_run
from mirrors.watcher.inventory import Inventory
from swapper_project.config import Config

log = structlog.get_logger(__name__)

BACKFILL_SECONDS: Final = 1.5
"""Seconds of the watcher's ten-second turn that backfills use. Other tasks need time too."""

RUN_LEASE_SECONDS: Final = 30.0
"""The duration of the lease on a run: three turns of the watcher, so that a slow turn does not lose the lease."""

IMAGE_CHECK_INTERVAL: Final = 60.0
"""Seconds between two searches for images with ``backfill: on``."""

RETRY_IMAGES_AFTER: Final = timedelta(hours=6)
"""The time after which ``backfill: on`` retries an image that a run did not mirror: the time window of Docker Hub's
pull limit."""

PREVIEW_EXPIRES_AFTER: Final = timedelta(days=1)
"""The time after which ``backfill: on`` cancels a preview that a user requested and did not start."""


class BackfillTask:
    """A task of the watcher. ``close`` stops its threads and releases its lease."""

    def __init__(self, config_source: Callable[[], Config]) -> None:
        self._config = config_source
        self._runner = BackfillRunner(config_source)
        self._holder = holder_name()
        self._next_check = 0.0
        self._on_since: datetime | None = None

    def run(self, inventory: Inventory) -> None:
        """Run one turn. The inventory is not used, because its rows are read from the database."""
        if self._config().backfill == "on":
            self._on_since = self._on_since or timezone.now()
            self._start_automatically(self._on_since)
        else:
            self._on_since = None
        self.work(BACKFILL_SECONDS)

    def work(self, seconds: float) -> bool:
        """Work on the open run of this cluster for about so many seconds. Returns False if another process holds the
        lease on the run."""
        cluster = self._config().cluster_name
        run = backfills.open_run(cluster)
        if run is None:
            self._runner.close()
            return True
        if not work_leases.hold(run_lease_of(cluster), self._holder, RUN_LEASE_SECONDS):
            return False
        self._runner.work(run, seconds=seconds)
        return True

    def close(self) -> None:
        self._runner.close()
        work_leases.release_lease(run_lease_of(self._config().cluster_name), self._holder)

    def _start_automatically(self, on_since: datetime) -> None:
        """With ``backfill: on``, request a run automatically, and start it when its preview is complete."""
        if time.monotonic() < self._next_check:
            return
        self._next_check = time.monotonic() + IMAGE_CHECK_INTERVAL
        cluster = self._config().cluster_name
        run = backfills.open_run(cluster)
        with suppress(ActionRefusedError):
            if run is None:
                tried = backfills.tried_since(cluster, timezone.now() - RETRY_IMAGES_AFTER)
                run = request_preview(cluster=cluster, requested_by="", excluding=tried)
                log.info("Starting a backfill, because backfill: on is configured", cluster=cluster, images=run.images)
            if _is_expired(run):
                cancel_run(run_id=run.pk, requested_by="")
            elif _is_ready(run, on_since):
                start_run(run_id=run.pk, requested_by="")


def _is_ready(run: BackfillRun, on_since: datetime) -> bool:
    """Return whether to start a run automatically: its preview is complete, and no user requested it, or a user did
    before ``backfill: on`` was set. Later previews of users wait for those users."""
    is_complete = run.state == BackfillState.PREVIEW and run.previewed_at is not None
    return is_complete and (not run.requested_by or run.created_at < on_since)


def _is_expired(run: BackfillRun) -> bool:
    is_requested_by_user = run.state == BackfillState.PREVIEW and bool(run.requested_by)
    return is_requested_by_user and timezone.now() - run.created_at > PREVIEW_EXPIRES_AFTER


def run_lease_of(cluster: str) -> str:
    """Return the name of the lease on a cluster's run. It has a hash, because names of clusters can be too long."""
    return f"backfill:{hashlib.sha256(cluster.encode()).hexdigest()[:40]}"
