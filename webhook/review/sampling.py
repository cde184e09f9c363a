"""Samples of reviews, and the fields of their pods that are stored: those that filters and users need, no secrets."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from mirrors.kubernetes.objects.pods import MIRROR_POD, SKIP, Json, mapping, text
from mirrors.kubernetes.objects.workloads import Workload
from mirrors.services import SampledReview
from mirrors.vocabulary.reasons import Reason
from webhook.database.lru_cache import LRUCache
from webhook.decision.decision import Decision
from webhook.review.admission_review import AdmissionRequest, namespace_of, pod_name_of

SAMPLED_AGAIN_AFTER: Final = 600.0
"""Seconds for which one process takes no further sample of the same workload."""

MOST_WORKLOADS: Final = 10_000
"""The maximum number of workloads whose last sample is remembered (a few MB). Pods choose their names."""

SAMPLES_PER_SECOND: Final = 1.0
"""The average number of samples per second that one process takes: each one is a row with a pod."""

SAMPLES_AT_ONCE: Final = 10
"""The maximum number of samples that a process takes in a burst after a quiet period."""

MOST_SAMPLE_BYTES: Final = 32_768
"""The maximum size in bytes of a sample as JSON (uid, pod and decisions); larger samples are dropped."""

MOST_SAMPLE_NESTING: Final = 12
"""The maximum nesting below a field of a sampled pod; deeper values are dropped. Real pods are less deeply nested."""

_METADATA: Final = ("name", "generateName", "namespace", "labels", "ownerReferences")
_CONTAINER: Final = ("name", "image", "imagePullPolicy", "restartPolicy", "ports", "resources", "securityContext")
_LISTS: Final = ("initContainers", "containers", "ephemeralContainers")
_SPEC: Final = (
    "automountServiceAccountToken",
    "dnsPolicy",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "imagePullSecrets",
    "nodeName",
    "nodeSelector",
    "os",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
    "restartPolicy",
    "runtimeClassName",
    "schedulerName",
    "securityContext",
    "serviceAccountName",
    "tolerations",
)


class Sampler:
    """Chooses the reviews to sample; one instance per process. A review that is not chosen costs next to nothing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._allowance = float(SAMPLES_AT_ONCE)
        self._counted_at = time.monotonic()
        self._not_before = 0.0
        self._next_sample_at: LRUCache[tuple[str, ...], float] = LRUCache(MOST_WORKLOADS)

    def claim(self, namespace: str, workload: Workload, pod: str) -> bool:
        """Return whether to sample this review: it is the first one of its workload for a while, and the rate limit
        allows a sample. A pod without a workload counts as its own workload."""
        now = time.monotonic()
        # Read without the lock, so that each review of a burst costs only this comparison.
        if now < self._not_before:
            return False
        key = (namespace, *workload) if workload.name else (namespace, workload.kind, pod)
        if (self._next_sample_at.get(key) or 0.0) > now:
            return False
        with self._lock:
            self._allowance = min(SAMPLES_AT_ONCE, self._allowance + (now - self._counted_at) * SAMPLES_PER_SECOND)
            self._counted_at = now
            if self._allowance < 1:
                self._not_before = now + (1 - self._allowance) / SAMPLES_PER_SECOND
                return False
            self._allowance -= 1
        self._next_sample_at.put(key, now + SAMPLED_AGAIN_AFTER)
        return True


def sample_of(request: AdmissionRequest, workload: Workload, decisions: Sequence[Decision]) -> SampledReview | None:
    """Return the sample to store; None if it is too large, or contains a character that the database cannot store."""
    sample = SampledReview(
        at=datetime.now(UTC),
        uid=request.uid[:64],
        namespace=namespace_of(request),
        pod_name=pod_name_of(request),
        workload_kind=workload.kind,
        workload=workload.name,
        operation=request.operation,
        pod=pruned(request.obj),
        decisions=[_decision(d) for d in decisions],
    )
    serialized = orjson.dumps([sample.uid, sample.pod, sample.decisions])
    # Postgres cannot store the character NUL.
    return sample if len(serialized) <= MOST_SAMPLE_BYTES and b"\\u0000" not in serialized else None


def has_changed_images(decisions: Sequence[Decision]) -> bool:
    """Return whether a review decided on any image: most updates change none."""
    return any(d.reason is not Reason.UNCHANGED for d in decisions)


def pruned(pod: Json) -> dict[str, Any]:
    """Return the pod without environment, commands, arguments, contents of volumes, and annotations that no decision
    uses."""
    spec = mapping(pod.get("spec"))
    metadata = _select_fields(mapping(pod.get("metadata")), _METADATA)
    annotations = mapping(mapping(pod.get("metadata")).get("annotations"))
    if kept_annotations := {key: text(annotations[key])[:63] for key in (SKIP, MIRROR_POD) if key in annotations}:
        metadata["annotations"] = kept_annotations
    kept = _select_fields(spec, _SPEC)
    for key in _LISTS:
        if isinstance(spec.get(key), list):
            kept[key] = [_select_fields(item, _CONTAINER) for item in spec[key] if isinstance(item, dict)]
    if isinstance(spec.get("volumes"), list):
        kept["volumes"] = [
            _select_fields(item, ("name", "image")) for item in spec["volumes"] if isinstance(item, dict)
        ]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": kept}


def _select_fields(value: Mapping[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    return {key: _limit_nesting(value[key]) for key in keys if key in value}


def _limit_nesting(value: Any, depth: int = MOST_SAMPLE_NESTING) -> Any:
    """Return a copy that is nested at most ``depth`` levels deep, because JSON columns limit the nesting."""
    if isinstance(value, dict):
        return {key: _limit_nesting(item, depth - 1) for key, item in value.items()} if depth else {}
    if isinstance(value, list):
        return [_limit_nesting(item, depth - 1) for item in value] if depth else []
    return value


def _decision(d: Decision) -> dict[str, Any]:
    return {
        "container": d.slot.label,
        "image": d.slot.image,
        "decision": "swap" if d.swap else "keep",
        "reason": d.reason.value,
        "would": d.would.value if d.would else None,
        "target": str(d.target) if d.target else None,
        "filter": d.filter or None,
    }
