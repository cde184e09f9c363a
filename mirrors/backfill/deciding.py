"""Whether an admission would mirror an image now: one pod of each namespace is read and decided like in a review."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Final

from mirrors import selectors
from mirrors.kubernetes.api_server.sample_pods import pod_or_template
from mirrors.kubernetes.objects.placement import platforms_of
from mirrors.kubernetes.objects.pods import Json
from mirrors.models import Priority, RunningImage, Trigger
from mirrors.selectors.clusters.backfill import representatives
from mirrors.selectors.configuration.operator_rows import catalog_of
from mirrors.services import RequestedCopy
from mirrors.vocabulary.reasons import Reason
from swapper_project.config import Config
from webhook.database.mapping_cache import CachedMapping
from webhook.decision import decision
from webhook.decision.as_created import decisions_of
from webhook.decision.decision import Decision, ImageFacts
from webhook.decision.review_limits import ReviewLimits
from webhook.decision.snapshot import Snapshot, policy_of
from webhook.knowledge import from_rows
from webhook.review.admission_review import creation_of
from webhook.review.copy_requests import requests_for

MOST_REQUESTING_NAMESPACES: Final = 5
"""The maximum number of namespaces for which an image is requested. The pull secrets of any of them may be needed."""

POD_NOT_FOUND: Final = "pod-not-found"


@dataclass(frozen=True, slots=True)
class ImageVerdict:
    """The requests that admissions would create, or the reason why there are none. ``is_mirrored``: the target already
    has the image."""

    requests: tuple[RequestedCopy, ...] = ()
    reason: str = ""
    details: str = ""
    is_mirrored: bool = False


class Decider:
    """Decides several images with one reading of the configuration and the operators' rows."""

    def __init__(self, config: Config, registry_id: int) -> None:
        sources, filters = catalog_of(config), selectors.operator_filters(config.cluster_name)
        # Decide as if copies were enabled: the run itself checks whether they are.
        policy = replace(policy_of(config, filters, sources), dry_run=False, copy_policy="delayed")
        self._snapshot = Snapshot(config, policy, sources, target_access=None)
        self._cluster = config.cluster_name
        self._registry_id = registry_id

    def decide(self, source: str) -> ImageVerdict:
        """Return the verdict on an image. Raises ClusterError if the cluster cannot be read now."""
        rejected: list[ImageVerdict] = []
        requests: list[RequestedCopy] = []
        for row in representatives(cluster=self._cluster, source=source, limit=MOST_REQUESTING_NAMESPACES):
            pod = pod_or_template(row.namespace, row.pod_name, row.workload_kind, row.workload)
            if pod is None:
                continue
            verdict = self._decide_in_pod(source, row, pod)
            if verdict.is_mirrored:
                return verdict
            requests += verdict.requests
            rejected += [] if verdict.requests else [verdict]
        if requests:
            return ImageVerdict(tuple(requests))
        return rejected[0] if rejected else ImageVerdict(reason=POD_NOT_FOUND)

    def _decide_in_pod(self, source: str, row: RunningImage, pod: Json) -> ImageVerdict:
        request = creation_of(pod, namespace=row.namespace, name=row.pod_name, uid="backfill")
        policy = self._snapshot.policy
        decisions = decisions_of(pod, namespace=row.namespace, source=source, image=row.image, policy=policy)
        undecided = next((d for d in decisions if decision.is_open(d)), None)
        if undecided is None:
            return _rejection(decisions)
        facts = self._facts(undecided, row, pod)
        if decision.needs_copy(undecided, facts, policy):
            copy_requests = requests_for(
                [undecided], request, Priority.BACKFILL, Trigger.BACKFILL, cluster=self._cluster
            )
            workload = f"{row.workload_kind}/{row.workload}"[:253] if row.workload else ""
            return ImageVerdict(
                tuple(
                    replace(copy_request, workload=copy_request.workload or workload)
                    for copy_request in copy_requests.values()
                )
            )
        if facts.obstacle is not None:
            return ImageVerdict(reason=facts.obstacle.value)
        return ImageVerdict(is_mirrored=True)

    def _facts(self, undecided: Decision, row: RunningImage, pod: Json) -> ImageFacts:
        mappings = selectors.known_mappings(
            target_registry_id=self._registry_id, targets={undecided.key: str(undecided.target)}
        )
        platforms = platforms_of(pod) if self._snapshot.config.platforms else frozenset()
        limits = ReviewLimits(deadline=time.monotonic(), namespace=row.namespace, platforms=platforms)
        return from_rows.facts_of_row(undecided, CachedMapping(mappings.get(undecided.key)), self._snapshot, limits)


def _rejection(decisions: list[Decision]) -> ImageVerdict:
    """Return the verdict with the reason of the first decision; ``pod-not-found`` if the pod no longer has the
    image."""
    first = next(iter(decisions), None)
    if first is None:
        return ImageVerdict(reason=POD_NOT_FOUND)
    if first.reason is Reason.FILTERED:
        return ImageVerdict(reason=first.reason.value, details=first.filter[:300])
    return ImageVerdict(reason=first.reason.value)
