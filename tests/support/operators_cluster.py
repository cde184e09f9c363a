"""A watched cluster for the realistic installation: running images, failing pulls, and images not mirrored yet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from mirrors.models import Cluster, ClusterNode, Existence, ImageMapping, PullFailure, RunningImage, RunningState

NODES = 12
NEW = ("quay.io/prometheus/alertmanager:v0.28.0", "ghcr.io/dexidp/dex:v2.41.1", "docker.io/library/memcached:1.6")
NAMESPACES = ("shop", "billing", "search", "monitoring", "auth")


def write_cluster() -> None:
    """Write into the database that Django uses. The mappings must exist."""
    now = timezone.now()
    Cluster.objects.create(
        name="default", version="v1.35.4", pods=410, nodes=NODES, platforms=["linux/amd64"], listed_at=now
    )
    ClusterNode.objects.bulk_create(
        ClusterNode(cluster="default", name=f"node-{n}", platform="linux/amd64", ready=True, pulled_at=now)
        for n in range(NODES)
    )
    known = ImageMapping.objects.filter(existence=Existence.PRESENT).order_by("id")[:60]
    rows = [_row(m.source, m.target, n, digest=m.target_digest) for n, m in enumerate(known)]
    rows += [_row(source, source, 100 + n, state=RunningState.RUNNING) for n, source in enumerate(NEW)]
    rows.append(_row(NEW[0], NEW[0], 200, state=RunningState.FAILING))
    rows.append(_row(NEW[2], NEW[2], 201, state=RunningState.TEMPLATE, pods=0, nodes=0))
    RunningImage.objects.bulk_create(rows)
    message = f'failed to pull and unpack image "{NEW[0]}": failed to resolve reference: 429 Too Many Requests'
    pod = {"namespace": "monitoring", "kind": "StatefulSet", "name": "alertmanager", "pod": "alertmanager-0"}
    PullFailure.objects.create(
        key=PullFailure.key_of(NEW[0], "rate-limited"),
        image=NEW[0],
        source=NEW[0],
        at="source",
        cause="rate-limited",
        message=message,
        pods=2,
        nodes=2,
        namespaces=["monitoring"],
        samples=[{**pod, "node": "node-3"}],
        first_seen_at=now - timedelta(minutes=9),
    )


def _row(source: str, image: str, number: int, **fields: Any) -> RunningImage:
    namespace, workload = NAMESPACES[number % len(NAMESPACES)], f"app-{number}"
    given = {"state": RunningState.RUNNING, "digest": "", "pods": 1 + number % 7, "nodes": 1 + number % 5, **fields}
    key = RunningImage.key_of(namespace, "Deployment", workload, image, str(given["digest"]))
    return RunningImage(
        cluster="default",
        key=key,
        namespace=namespace,
        workload_kind="Deployment",
        workload=workload,
        source=source,
        image=image,
        **given,
    )
