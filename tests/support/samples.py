"""Rows of sampled admissions."""

from __future__ import annotations

from typing import Any

from mirrors.models import AdmissionSample


def sampled(namespace: str, image: str, *, reason: str = "absent", labels: dict[str, str] | None = None) -> Any:
    """Create the sample of a pod with one container."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-x7k2p", "namespace": namespace, "labels": labels or {}},
        "spec": {"containers": [{"name": "web", "image": image}]},
    }
    decision = {"container": "web", "image": image, "decision": "keep", "reason": reason, "would": None}
    return AdmissionSample.objects.create(
        uid="u-1",
        namespace=namespace,
        pod_name="web-x7k2p",
        workload_kind="Deployment",
        workload="web",
        operation="CREATE",
        pod=pod,
        decisions=[{**decision, "target": None, "filter": None}],
        image_names=image,
        kept=1,
    )
