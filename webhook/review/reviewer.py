"""One review from request to response. Each image goes through five steps: classify, gather, request, guard, settle.
After that, its swap can be suspended, because the target is unhealthy or the workload is in a restart loop."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from mirrors.kubernetes.objects import pods
from mirrors.kubernetes.objects.placement import platforms_of
from mirrors.kubernetes.objects.pods import ImageSlot
from mirrors.vocabulary.reasons import Reason
from swapper_project.process.monitoring import metrics
from webhook.database.thread import DatabaseThread
from webhook.decision import decision, patch
from webhook.decision.decision import Decision
from webhook.decision.review_limits import ReviewLimits
from webhook.decision.snapshot import Snapshot, Snapshots
from webhook.knowledge.gatherer import FactsGatherer
from webhook.review import kubectl_messages
from webhook.review.admission_review import AdmissionRequest
from webhook.review.copy_requests import CopyRequester
from webhook.review.guard import Guard
from webhook.review.review_notes import ReviewRecorder
from webhook.review.suspending import Suspender

log = structlog.get_logger(__name__)

MOST_REVIEWED_IMAGES: Final = 1_000
"""The maximum number of reviewed images of one pod. Each takes time for which other pods wait; real pods have a few."""

MOST_LISTED_UNREVIEWED: Final = 20
"""The maximum number of images beyond ``MOST_REVIEWED_IMAGES`` that are listed as such; the others are only counted."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a review."""

    decisions: Sequence[Decision]
    patch: list[patch.PatchOperation]
    warnings: list[str]
    denied: str = ""
    """The reason why the pod is not admitted; empty if it is."""
    unlisted: int = 0
    """The number of images that have no entry in ``decisions``. They are kept, because the pod has too many images."""


class Reviewer:
    """Decides reviews; one instance per process."""

    def __init__(self, *, snapshots: Snapshots, database: DatabaseThread, gatherer: FactsGatherer) -> None:
        self._snapshots = snapshots
        self._gatherer = gatherer
        self._copies = CopyRequester(database, gatherer)
        self._guard = Guard(database, gatherer)
        self._suspender = Suspender()
        self._recorder = ReviewRecorder(database.pending)

    def review(self, request: AdmissionRequest, limits: ReviewLimits) -> Outcome:
        snapshot = self._snapshots.current
        is_pod = request.resource == "pods"
        slots = pods.reviewed_slots(
            request.obj if is_pod else pods.EMPTY, request.old_obj, request.operation, request.sub_resource
        )
        reviewed = list(itertools.islice(slots, MOST_REVIEWED_IMAGES))
        if not reviewed:
            return Outcome([], [], [])
        keep_reason = decision.pod_keep_reason(request.obj, snapshot.policy)
        decisions = self._decide(request, reviewed, keep_reason, snapshot, limits)
        if limits.can_record and limits.can_query:
            self._copies.refresh(request, decisions, snapshot)
        operations = patch.patch_operations(
            decisions,
            pod=request.obj,
            policy=snapshot.policy,
            is_kept=keep_reason is not None,
            is_subresource=bool(request.sub_resource),
        )
        # The remaining images are counted, and a few of them are listed as examples.
        decisions += [
            Decision(slot, Reason.TOO_MANY_IMAGES) for slot in itertools.islice(slots, MOST_LISTED_UNREVIEWED)
        ]
        images = (
            pods.number_of_images(request.obj, request.sub_resource) if len(decisions) > MOST_REVIEWED_IMAGES else 0
        )
        unlisted = max(0, images - len(decisions))
        if limits.can_record:
            self._recorder.record(request, decisions, unlisted, copies_allowed=snapshot.policy.copy_policy != "none")
        denied = kubectl_messages.denial_message(decisions, snapshot)
        warnings = kubectl_messages.warnings_of(decisions, unlisted)
        return Outcome(decisions, [] if denied else operations, warnings, denied, unlisted)

    def _decide(
        self,
        request: AdmissionRequest,
        slots: Sequence[ImageSlot],
        keep_reason: Reason | None,
        snapshot: Snapshot,
        limits: ReviewLimits,
    ) -> list[Decision]:
        classified = self._classify(request, slots, keep_reason, snapshot, limits)
        if snapshot.config.platforms:
            limits = replace(limits, platforms=platforms_of(request.obj))
        undecided = [d for d in classified if decision.is_open(d)]
        facts = self._gatherer.gather(undecided, snapshot, limits)
        facts |= self._copies.request(request, undecided, facts, snapshot, limits)
        facts |= self._guard.deny_in_private_repositories(undecided, facts, snapshot, limits)
        classified = self._guard.deny_private_mirrors(classified, snapshot, limits)
        settled = [decision.settle(d, facts[d.key], snapshot.policy) if decision.is_open(d) else d for d in classified]
        return self._suspender.apply(request, settled, snapshot.suspensions, limits)

    def _classify(
        self,
        request: AdmissionRequest,
        slots: Sequence[ImageSlot],
        keep_reason: Reason | None,
        snapshot: Snapshot,
        limits: ReviewLimits,
    ) -> list[Decision]:
        def on_filter_error(name: str, error: Exception) -> None:
            if limits.can_record:
                metrics.FILTER_ERRORS.labels(name).inc()
            log.warning("A filter failed on this image and is skipped", filter=name, error=str(error), uid=request.uid)

        return decision.classify_pod(
            slots,
            policy=snapshot.policy,
            pod=request.obj,
            namespace=request.namespace,
            keep_reason=keep_reason,
            on_filter_error=on_filter_error,
        )
