"""The lists of the API that scripts read."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import quote, urlencode

from benchmarks.page import SEARCHED, Page
from mirrors.models import ImageMapping, ImageUse, MirrorJob, RunningImage

CLUSTER_RESOURCES = (
    "running-images",
    "clusters",
    "nodes",
    "pull-failures",
    "target-health",
    "restart-loops",
    "backfill",
    "backfill-images",
)
RESOURCES = (
    *("mappings", "jobs", "uses", "filters", "registries", "repositories", "admissions", "actions", "instances"),
    *CLUSTER_RESOURCES,
)
SEARCHED_RESOURCES = ("mappings", "jobs", "uses", "admissions", "running-images", "pull-failures")
FILTERS = {
    "mappings": (
        "existence=present",
        "existence=absent",
        "access=secrets",
        "obstacle=tampered",
        "paused=true",
        "state=failed",
        "state=unknown",
        "error_class=denied",
        "error_host=ghcr.io",
        "last_seen_before=2026-01-01T00:00:00Z",
    ),
    "jobs": (
        "status=failed",
        "status=running",
        "ordering=finished_at",
        "ordering=-finished_at",
        "ordering=created_at",
        "status=failed&error_class=bad-digest",
        "error_class=conflict",
        "namespace=api-000",
        "namespace=nobody",
        "priority=0",
        "trigger=verify",
        "mapping=1",
        "mapping=1&status=failed",
    ),
    "uses": (
        "namespace=api-000",
        "namespace=nobody",
        "workload_kind=Pod",
        "workload=nginx-nginx-17",
        "workload=nobody",
        "mapping=1",
    ),
    "admissions": ("namespace=api-000", "namespace=nobody"),
    "repositories": ("has_differences=true", "pulls_through=true"),
    "running-images": (
        "mirrored=false",
        "state=failing",
        "state=ended",
        "cluster=staging",
        "cluster=staging&mirrored=true",
        "cluster=none-such",
        "namespace=api-000",
        "namespace=nobody",
        "workload=nobody",
        "workload_kind=Job&state=starting",
    ),
    "nodes": ("cluster=staging", "ready=false"),
    "pull-failures": ("cluster=staging", "cause=denied&at=target", "is_mirrored=true"),
    "restart-loops": ("cluster=staging", "namespace=nobody"),
    "backfill": ("cluster=staging", "state=running"),
    "backfill-images": ("run=3", "run=10&state=queued", "state=failed", "cluster=staging", "cluster=none-such"),
}


def api() -> Iterator[Page]:
    """Yield pages of each resource: the first page, a page far in, searches, and filters with common, rare and absent
    values."""
    for resource in RESOURCES:
        base = f"/api/v1/{resource}/"
        yield Page(f"API {resource}, 200 a page", f"{base}?page_size=200")
        for kind, text in SEARCHED.items() if resource in SEARCHED_RESOURCES else ():
            yield Page(f"API {resource}, search: {kind}", f"{base}?search={quote(text)}")
    for resource, model in (
        ("mappings", ImageMapping),
        ("jobs", MirrorJob),
        ("uses", ImageUse),
        ("running-images", RunningImage),
    ):
        middle = model.objects.latest("pk").pk // 2
        cursor = base64.b64encode(f"p={middle}".encode()).decode()
        yield Page(f"API {resource}, cursor far in", f"/api/v1/{resource}/?{urlencode({'cursor': cursor})}")
    for resource, queries in FILTERS.items():
        for query in queries:
            yield Page(f"API {resource}: {query}", f"/api/v1/{resource}/?{query}")
