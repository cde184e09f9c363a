"""Samples of admissions from webhook processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mirrors.models import DEFAULT_CLUSTER, AdmissionSample


@dataclass(frozen=True, slots=True)
class SampledReview:
    """One admission review: its pruned pod, and the decision about each image (see AdmissionSample)."""

    at: datetime
    uid: str
    namespace: str
    pod_name: str
    workload_kind: str
    workload: str
    operation: str
    pod: dict[str, Any]
    decisions: list[dict[str, Any]]


def record_samples(*, samples: Sequence[SampledReview], cluster: str = DEFAULT_CLUSTER) -> None:
    """Store the samples. ``prune`` deletes them after ``keep_samples_days``."""
    AdmissionSample.objects.bulk_create([_row(sample, cluster) for sample in samples])


def _row(sample: SampledReview, cluster: str) -> AdmissionSample:
    swapped = sum(d["decision"] == "swap" for d in sample.decisions)
    return AdmissionSample(
        uid=sample.uid,
        cluster=cluster,
        namespace=sample.namespace,
        pod_name=sample.pod_name,
        workload_kind=sample.workload_kind,
        workload=sample.workload,
        operation=sample.operation,
        pod=sample.pod,
        decisions=sample.decisions,
        image_names=AdmissionSample.names_in(sample.decisions),
        swapped=swapped,
        kept=len(sample.decisions) - swapped,
        created_at=sample.at,
    )
