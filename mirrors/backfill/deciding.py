"""Whether an admission would mirror an image now: one pod of each namespace is read, and decided as a review does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from mirrors import selectors
from mirrors.images import ImageRef, InvalidReferenceError
from mirrors.kubernetes import pods
from mirrors.kubernetes.client import ClusterError, read_pod, read_workload
from mirrors.kubernetes.manifests import ManifestError, pods_in
from mirrors.kubernetes.placement import platforms_of
from mirrors.kubernetes.pods import ImageSlot, Json
from mirrors.models import Priority, RunningImage, Trigger
from mirrors.selectors.backfill import representatives
from mirrors.selectors.operator_rows import catalog_of
from mirrors.services import RequestedCopy
from mirrors.vocabulary.reasons import Reason
from swapper_project.config import Config
from webhook.database.mapping_cache import Row
from webhook.decision import decision
from webhook.decision.decision import Decision, Knowledge
from webhook.decision.review_limits import ReviewLimits
from webhook.decision.snapshot import Snapshot, policy_of
from webhook.knowledge import from_rows
from webhook.review.admission_review import creation_of
from webhook.review.copy_requests import requests_for

log = structlog.get_logger(__name__)

MOST_NAMESPACES: Final = 5
"""Namespaces in whose name an image is requested: the pull secrets of any of them may be the ones that read it."""

POD_NOT_FOUND: Final = "pod-not-found"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an admission would request, or why it would request nothing. ``is_mirrored``: the target has it by now."""

    requests: tuple[RequestedCopy, ...] = ()
    reason: str = ""
    details: str = ""
    is_mirrored: bool = False


class Decider:
    """For some images at one time: the configuration and the operators' rows are read once."""

    def __init__(self, config: Config, registry_id: int) -> None:
        sources, filters = catalog_of(config), selectors.operator_filters(config.cluster_name)
        # That nothing is copied now is for the run to say: what would be, is the same.
        policy = replace(policy_of(config, filters, sources), dry_run=False, copy_policy="delayed")
        self._snapshot = Snapshot(config, policy, sources, target_access=None)
        self._cluster = config.cluster_name
        self._registry_id = registry_id

    def decide(self, source: str) -> Verdict:
        """Raises ClusterError if the cluster can't be asked now."""
        refused: list[Verdict] = []
        requests: list[RequestedCopy] = []
        for row in representatives(cluster=self._cluster, source=source, most=MOST_NAMESPACES):
            for pod in _pods_of(row):
                verdict = self._in_pod(source, row, pod)
                if verdict.is_mirrored:
                    return verdict
                requests += verdict.requests
                refused += [] if verdict.requests else [verdict]
        if requests:
            return Verdict(tuple(requests))
        return refused[0] if refused else Verdict(reason=POD_NOT_FOUND)

    def _in_pod(self, source: str, row: RunningImage, pod: Json) -> Verdict:
        request = creation_of(pod, namespace=row.namespace, name=row.pod_name, uid="backfill")
        policy = self._snapshot.policy
        slots = [found for slot in pods.all_slots(pod) if (found := _as_source(slot, source, row.image))]
        decided = decision.classify_pod(
            slots,
            policy=policy,
            pod=pod,
            namespace=row.namespace,
            kept=decision.untouchable(pod, policy),
            on_filter_error=_on_filter_error,
        )
        undecided = next((d for d in decided if decision.is_open(d)), None)
        if undecided is None:
            return _refused(decided)
        known = self._known(undecided, row, pod)
        if decision.wants_copy(undecided, known, policy):
            made = requests_for([undecided], request, Priority.BACKFILL, Trigger.BACKFILL, cluster=self._cluster)
            workload = f"{row.workload_kind}/{row.workload}"[:253] if row.workload else ""
            return Verdict(tuple(replace(one, workload=one.workload or workload) for one in made.values()))
        if known.obstacle is not None:
            return Verdict(reason=known.obstacle.value)
        return Verdict(is_mirrored=True)

    def _known(self, undecided: Decision, row: RunningImage, pod: Json) -> Knowledge:
        found = selectors.known_mappings(
            target_registry_id=self._registry_id, targets={undecided.key: str(undecided.target)}
        )
        platforms = platforms_of(pod) if self._snapshot.config.platforms else frozenset()
        limits = ReviewLimits(deadline=time.monotonic(), namespace=row.namespace, platforms=platforms)
        return from_rows.of_row(undecided, Row(found.get(undecided.key)), self._snapshot, limits)


def _pods_of(row: RunningImage) -> Iterator[Json]:
    """The pod of a row, or that of its workload's template; none where both have been deleted."""
    try:
        if row.pod_name:
            yield read_pod(row.namespace, row.pod_name)
            return
    except ClusterError as error:
        if not error.is_missing:
            raise
    try:
        yield _template_of(row)
    except ClusterError as error:
        if not error.is_missing:
            raise
    except ManifestError as error:
        log.warning("The template of a workload cannot be read", workload=str(row), error=str(error))


def _template_of(row: RunningImage) -> dict[str, Any]:
    workload = read_workload(row.workload_kind, row.namespace, row.workload)
    return pods_in([workload], namespace=row.namespace)[0].pod


def _as_source(slot: ImageSlot, source: str, image: str) -> ImageSlot | None:
    """The place in the pod, as it was before the image was swapped; None for other images."""
    if slot.image == image and not _names(slot.image, source):
        return replace(slot, image=source, container={**slot.container, "image": source})
    return slot if _names(slot.image, source) else None


def _names(image: str, source: str) -> bool:
    try:
        return str(ImageRef.parse(image)) == source
    except InvalidReferenceError:
        return False


def _refused(decided: list[Decision]) -> Verdict:
    """The reason of the first image; a pod that no longer has it does not count."""
    first = next(iter(decided), None)
    if first is None:
        return Verdict(reason=POD_NOT_FOUND)
    if first.reason is Reason.FILTERED:
        return Verdict(reason=first.reason.value, details=first.filter[:300])
    return Verdict(reason=first.reason.value)


def _on_filter_error(name: str, error: Exception) -> None:
    log.warning("A filter failed on this image and is skipped", filter=name, error=str(error))
