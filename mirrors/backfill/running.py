"""One turn of a backfill: decide images, measure them, request copies, and record the results of their jobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from django.db import transaction
from django.db.models.functions import Now

from mirrors.backfill.deciding import Decider, ImageVerdict
from mirrors.backfill.estimate import MeasuredImage, PullBudget, estimate
from mirrors.backfill.measuring import ImageSize, Measurer
from mirrors.kubernetes.api_server.api_client import ClusterError
from mirrors.models import (
    PULLS,
    BackfillImage,
    BackfillImageState,
    BackfillRun,
    BackfillState,
    HostBudget,
    JobStatus,
)
from mirrors.oci.common.access import DOCKER_HUB
from mirrors.registries.request_limits import budget_finder
from mirrors.selectors import target_registry_id
from mirrors.selectors.clusters import backfill as backfills
from mirrors.selectors.clusters.node_platforms import platforms_to_mirror
from mirrors.selectors.configuration.operator_rows import catalog_of
from mirrors.services import RequestOutcome, request_copies
from mirrors.services.clusters.backfill import finish_run, hold_running
from mirrors.services.jobs.refused_actions import NO_TARGET
from mirrors.vocabulary.bounds import host_of
from swapper_project.config import Config

FOUND, READY, SKIPPED = BackfillImageState.FOUND, BackfillImageState.READY, BackfillImageState.SKIPPED
QUEUED, MIRRORED = BackfillImageState.QUEUED, BackfillImageState.MIRRORED

MOST_QUEUED: Final = 50
"""The maximum number of unfinished jobs of a backfill: enough for minutes of work, and few enough that they end soon
after the run is paused."""

DECIDED_AT_ONCE: Final = 200
"""The maximum number of images that one turn decides. To read a pod takes milliseconds."""

HUB_LIMITS: Final = {False: 100, True: 200}
"""Pulls in six hours that Docker Hub allows without and with credentials of a free account
(docs.docker.com/docker-hub/usage), until it has reported its own number."""


class BackfillRunner:
    """The work on a cluster's open run, one turn at a time. A process has one instance."""

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config
        self._measurer: Measurer | None = None

    def close(self) -> None:
        if self._measurer is not None:
            self._measurer.close()
            self._measurer = None

    def work(self, run: BackfillRun, *, seconds: float) -> None:
        """Work on a run for about so many seconds. If it cannot continue, the reason is recorded in the run."""
        deadline = time.monotonic() + seconds
        try:
            if run.state == BackfillState.PREVIEW and run.previewed_at is None:
                self._preview(run, deadline)
            elif run.state == BackfillState.RUNNING:
                self._continue(run, deadline)
            elif run.state == BackfillState.PAUSED:
                record_finished_jobs(run, self._registry_id())
            _record_problem(run, "")
        except _BlockedError as error:
            _record_problem(run, str(error))
        except ClusterError as error:
            _record_problem(
                run, f"The cluster cannot be read: {error}. The backfill continues when the cluster can be read again."
            )

    def _preview(self, run: BackfillRun, deadline: float) -> None:
        decider = Decider(self._config(), self._registry_id())
        for image in backfills.due(run, [FOUND], DECIDED_AT_ONCE):
            if time.monotonic() >= deadline:
                return
            _record_verdict(image, decider.decide(image.source))
        if self._measure(run, deadline) and not backfills.due(run, [FOUND], 1):
            self._complete(run)

    def _measure(self, run: BackfillRun, deadline: float) -> bool:
        """Measure images until the deadline. Returns whether no image is left to measure."""
        measurer = self._measurer = self._measurer or Measurer(self._config)
        counting = self._pull_budgets().keys()
        platforms = platforms_to_mirror(self._config()).platforms
        while True:
            waiting = BackfillImage.objects.filter(run=run, state=READY, is_measured=False)
            waiting = waiting.exclude(pk__in=list(measurer.in_progress)).order_by("rank")
            for image in waiting[: measurer.free_slots]:
                if not measurer.submit(image.pk, image.source, counting, platforms):
                    _record_size(image.pk, None)
            remaining = deadline - time.monotonic()
            for key, size in measurer.collect(remaining).items():
                _record_size(key, size)
            if not measurer.in_progress and not waiting.exists():
                return True
            if remaining <= 0:
                return False

    def _complete(self, run: BackfillRun) -> None:
        """Complete the preview: compute and save its totals."""
        self.close()
        config = self._config()
        rows = BackfillImage.objects.filter(run=run, state=READY)
        images = [
            MeasuredImage(host_of(source), *sizes)
            for source, *sizes in rows.values_list("source", "manifests", "blobs", "size_bytes")
        ]
        find_budget = budget_finder(lambda: config)
        result = estimate(
            images,
            pulls=self._pull_budgets(),
            limits=lambda host: limits.limits if (limits := find_budget(host)) else {},
            target=config.target.name.endpoint,
        )
        BackfillRun.objects.filter(pk=run.pk, state=BackfillState.PREVIEW).update(
            images=len(images),
            excluded=BackfillImage.objects.filter(run=run, state=SKIPPED).count(),
            bytes_total=result.bytes_total,
            unmeasured=result.unmeasured,
            counted_pulls=result.counted_pulls,
            seconds_estimated=result.seconds,
            previewed_at=Now(),
        )

    def _pull_budgets(self) -> Mapping[str, PullBudget]:
        """Return the pull limits of Docker Hub, and of other hosts that have reported one for the account that copies
        use."""
        config = self._config()
        catalog = catalog_of(config)

        def budget(host: str, limit: int, remaining: int) -> PullBudget:
            has_account = bool(catalog.username(host))
            reserve = config.pull_reserve.authenticated if has_account else config.pull_reserve.anonymous
            return PullBudget(limit, remaining, reserve)

        hub = HUB_LIMITS[bool(catalog.username(DOCKER_HUB))]
        budgets = {DOCKER_HUB: budget(DOCKER_HUB, hub, hub)}
        rows = HostBudget.objects.filter(operation=PULLS, pull_limit__gt=0, remaining__isnull=False)
        for host, account, limit, remaining in rows.values_list("host", "credential", "pull_limit", "remaining"):
            if account == catalog.username(host) and limit and remaining is not None:
                budgets[host] = budget(host, limit, remaining)
        return budgets

    def _continue(self, run: BackfillRun, deadline: float) -> None:
        registry_id = self._registry_id()
        record_finished_jobs(run, registry_id)
        self._check_enabled()
        queued = BackfillImage.objects.filter(run=run, state=QUEUED).count()
        decider = Decider(self._config(), registry_id)
        for image in backfills.due(run, [FOUND, READY], max(0, MOST_QUEUED - queued)):
            if time.monotonic() >= deadline:
                break
            verdict = decider.decide(image.source)
            with transaction.atomic():
                if not hold_running(run.pk):
                    return
                _request(registry_id, image, verdict)
        if not backfills.due(run, [FOUND, READY, QUEUED], 1):
            finish_run(run_id=run.pk)

    def _check_enabled(self) -> None:
        config = self._config()
        if config.dry_run:
            raise _BlockedError(
                "dryRun is set: nothing is copied. Set dryRun: false; the backfill then continues automatically."
            )
        if config.image_copy_policy == "none":
            raise _BlockedError("imageCopyPolicy: none is set: nothing is copied. Set it to delayed to continue.")
        if config.backfill == "off":
            raise _BlockedError(
                "backfill: off is set. Set backfill: report; the backfill then continues automatically."
            )

    def _registry_id(self) -> int:
        target = self._config().target.name
        registry_id = target_registry_id(endpoint=target.endpoint, prefix=target.prefix)
        if registry_id is None:
            raise _BlockedError(NO_TARGET)
        return registry_id


class _BlockedError(Exception):
    """The configuration does not allow the run to continue now. The message contains the next step."""


def _request(registry_id: int, image: BackfillImage, verdict: ImageVerdict) -> None:
    """Request the copies of one image, one for each namespace. Images are requested one at a time, because jobs start
    in the order of their requests."""
    if not verdict.requests:
        _record_verdict(image, verdict)
        return
    outcomes = request_copies(target_registry_id=registry_id, requests=verdict.requests)
    _record_outcome(image, _sort_by_success(outcomes)[-1])


def _sort_by_success(outcomes: Iterable[RequestOutcome]) -> list[RequestOutcome]:
    return sorted(outcomes, key=lambda outcome: outcome.job_id is not None)


def _record_outcome(image: BackfillImage, outcome: RequestOutcome) -> None:
    if outcome.job_id is not None:
        _update(image.pk, state=QUEUED, job_id=outcome.job_id, reason="")
    else:
        _update(image.pk, state=SKIPPED, reason=outcome.problem)


def _record_verdict(image: BackfillImage, verdict: ImageVerdict) -> None:
    if verdict.is_mirrored:
        _update(image.pk, state=MIRRORED)
    elif verdict.requests:
        _update(image.pk, state=READY)
    else:
        _update(image.pk, state=SKIPPED, reason=verdict.reason, details=verdict.details)


def _record_size(key: int, size: ImageSize | None) -> None:
    fields = {"size_bytes": size.size, "manifests": size.manifests, "blobs": size.blobs} if size else {}
    _update(key, is_measured=True, **fields)


def _update(key: int, **fields: Any) -> None:
    """Update an image, unless it was cancelled in the meantime."""
    BackfillImage.objects.filter(pk=key).exclude(state=BackfillImageState.CANCELLED).update(**fields)


def _record_problem(run: BackfillRun, problem: str) -> None:
    if run.problem != problem:
        BackfillRun.objects.filter(pk=run.pk, state__in=BackfillRun.OPEN).update(problem=problem)


def record_finished_jobs(run: BackfillRun, registry_id: int) -> None:
    """Record the results of a run's jobs that have ended. If a job was deleted, the image counts as mirrored if the
    target has it, else as cancelled."""
    queued = BackfillImage.objects.filter(run=run, state=QUEUED)
    for status, state in (
        (JobStatus.SUCCEEDED, MIRRORED),
        (JobStatus.FAILED, BackfillImageState.FAILED),
        (JobStatus.CANCELLED, BackfillImageState.CANCELLED),
    ):
        queued.filter(job__status=status).update(state=state)
    lost = queued.filter(job=None)
    lost.filter(backfills.is_present_at(registry_id)).update(state=MIRRORED)
    lost.update(state=BackfillImageState.CANCELLED)
