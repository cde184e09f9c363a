"""Records of one review: counts and uses for metrics and dashboard, and sometimes a sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mirrors.kubernetes.objects.workloads import workload_of
from mirrors.services import DecisionKey, UseKey
from mirrors.vocabulary.reasons import Reason
from swapper_project.process.monitoring import metrics
from webhook.database.pending_writes import PendingWrites
from webhook.decision.decision import Decision
from webhook.review.admission_review import AdmissionRequest, namespace_of
from webhook.review.sampling import Sampler, has_changed_images, sample_of


class ReviewRecorder:
    """Records reviews in memory; one instance per process. The database thread writes the records later."""

    def __init__(self, pending: PendingWrites) -> None:
        self._pending = pending
        self._sampler = Sampler()

    def record(
        self, request: AdmissionRequest, decisions: Sequence[Decision], unlisted: int, *, copies_allowed: bool
    ) -> None:
        """Record the decisions of a review. ``unlisted`` is the number of images without a decision;
        ``copies_allowed``: the configuration allows copies of new images."""
        hour, namespace = DecisionKey.this_hour(), namespace_of(request)
        workload = workload_of(request.obj)
        counts: Counter[DecisionKey] = Counter()
        uses: set[UseKey] = set()
        for d in decisions:
            first_seen = copies_allowed and _is_first_seen(d)
            host, verdict = d.source.registry if d.source else "", "swap" if d.swap else "keep"
            counts[DecisionKey(hour, namespace, host, verdict, d.reason.value, d.filter, first_seen)] += 1
            if d.facts is not None:
                # By source: the mapping may not exist yet, because the request of this same pod creates it.
                uses.add(UseKey(d.key, namespace, *workload))
        if unlisted:
            counts[DecisionKey(hour, namespace, "", "keep", Reason.TOO_MANY_IMAGES.value)] += unlisted
        for key, images in counts.items():
            metrics.IMAGES.labels(key.decision, key.reason).inc(images)
        self._pending.add_review(counts, uses)
        if not unlisted and has_changed_images(decisions) and self._sampler.claim(namespace, workload, request.name):
            sample = sample_of(request, workload, decisions)
            if sample is not None:
                self._pending.add_sample(sample)


def _is_first_seen(d: Decision) -> bool:
    """Return whether this pod is the first one with the image: the target does not have the image, and there is no
    mapping of it."""
    return d.reason is Reason.ABSENT and d.facts is not None and d.facts.mapping_id is None
