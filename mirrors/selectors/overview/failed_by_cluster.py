"""Failed jobs at given registries, by the cluster that requested them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from django.db.models import Count, Q

from mirrors.models import JobStatus, MirrorJob, Registry
from mirrors.models.jobs.job_errors import known_host


def failed_by_cluster(registries: Iterable[Registry], since: datetime) -> Counter[tuple[str, str]]:
    """Return the number of failed jobs by host and cluster (empty: requested by users), with one query."""
    at_registries = Q(pk__in=[])
    for registry in registries:
        at_registries |= Q(**registry.lookup_of("error_host"))
    failed = MirrorJob.objects.filter(at_registries, status=JobStatus.FAILED, finished_at__gte=since).order_by()
    counts: Counter[tuple[str, str]] = Counter()
    for host, cluster, jobs in failed.values_list("error_host", "cluster").annotate(n=Count("*")):
        counts[known_host(host), cluster] += jobs
    return counts
