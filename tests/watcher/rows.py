"""Rows that a watcher writes, for tests of pages and the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.utils import timezone

from mirrors.models import HealthState, PullFailure, RestartLoop, TargetHealth

POD = {"namespace": "shop", "kind": "Deployment", "name": "web", "pod": "web-1", "node": "node-1"}


def failing_pull(image: str = "nginx:1.27", **fields: Any) -> PullFailure:
    known = {
        "source": "docker.io/library/nginx:1.27",
        "at": "source",
        "cause": "unreachable",
        "message": "dial tcp 10.0.0.1:443: i/o timeout",
        "pods": 3,
        "nodes": 2,
        "namespaces": ["shop"],
        "samples": [POD],
        **fields,
    }
    return PullFailure.objects.create(image=image, key=PullFailure.key_of(image, known["cause"]), **known)


def unhealthy_target(**fields: Any) -> TargetHealth:
    known = {
        "registry": "mirror.example.com:5000",
        "state": HealthState.UNHEALTHY,
        "cause": "denied",
        "message": "403 Forbidden",
        "nodes": ["node-1", "node-2"],
        **fields,
    }
    return TargetHealth.objects.create(**known)


def restart_loop(**fields: Any) -> RestartLoop:
    known = {
        "namespace": "shop",
        "workload_kind": "Database",
        "workload": "orders",
        "source": "docker.io/library/nginx:1.27",
        "image": "mirror.example.com:5000/docker.io/library/nginx:1.27",
        "count": 5,
        "expires_at": timezone.now() + timedelta(hours=23),
        **fields,
    }
    return RestartLoop.objects.create(key="loop", **known)
