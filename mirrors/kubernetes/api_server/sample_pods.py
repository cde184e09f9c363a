"""A sample pod of a workload, or else the pod of its template, read from the API server."""

from __future__ import annotations

from typing import Any

import structlog

from mirrors.kubernetes.api_server.api_client import ClusterError, read_pod, read_workload
from mirrors.kubernetes.objects.pod_manifests import ManifestError, pods_in

log = structlog.get_logger(__name__)


def pod_or_template(namespace: str, pod_name: str, kind: str, workload: str) -> dict[str, Any] | None:
    """Return the pod, or the pod of its workload's template; None if both have been deleted. Raises ClusterError."""
    try:
        if pod_name:
            return read_pod(namespace, pod_name)
    except ClusterError as error:
        if not error.is_missing:
            raise
    try:
        return pods_in([read_workload(kind, namespace, workload)], namespace=namespace)[0].pod
    except ClusterError as error:
        if not error.is_missing:
            raise
    except ManifestError as error:
        log.warning("The template of a workload cannot be read", workload=f"{namespace}/{workload}", error=str(error))
    return None
