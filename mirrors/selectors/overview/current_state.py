"""The current state: running processes, rate limited hosts, running copies, and other facts of the dashboard."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, DateTimeField, Exists, ExpressionWrapper, Max, Min, Q, Subquery
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from mirrors.models import (
    BackfillRun,
    Cluster,
    HostBudget,
    ImageMapping,
    Instance,
    JobStatus,
    MirrorJob,
    RestartLoop,
    Revision,
    TargetRepository,
)
from mirrors.selectors.clusters import readiness
from mirrors.selectors.clusters.pull_failures import failing_images
from mirrors.selectors.clusters.suspensions import BANNER_FIELDS, disturbed_targets
from mirrors.selectors.images import mapping_states
from mirrors.selectors.jobs.retries import unsolved_failures, waiting_retries
from mirrors.selectors.queries.subqueries import JsonRows, rows_counted
from mirrors.vocabulary.bounds import LONGEST_PAUSE

SEEN_WITHIN: Final = {
    "webhook": timedelta(seconds=120),
    "worker": timedelta(seconds=180),
    "watcher": timedelta(seconds=60),
}
"""For each role, the time after its last report for which a process counts as running."""

MOST_RETRIES: Final = 5
"""The most rows of ``waiting_retries``. If more registries fail at the same time, the network is the cause."""

MOST_HOSTS_NAMED: Final = 100
"""The most hosts with a rate limit or known remaining pulls that pages and the API show."""


@dataclass(frozen=True, slots=True)
class DashboardFacts:
    """Facts for the dashboard: whether there are mappings, whether a backfill is running or paused, how many
    repositories differ from their settings (``differing``), the number of deletions of mappings (``forgotten``),
    reports of clusters, and the number of images by state."""

    is_mapped: bool = False
    is_backfilling: bool = False
    differing: int = 0
    forgotten: int = 0
    workloads: int | None = None
    """The workloads of watched clusters; ``unprotected`` counts those that need a source to start. Both are None if no
    cluster is watched."""
    unprotected: int | None = None
    loops: int = 0
    disturbed: Sequence[Mapping[str, Any]] | None = None
    """Targets that nodes cannot pull from, of all clusters; None if there are none."""
    pulls: Sequence[Mapping[str, Any]] | None = None
    """The number of images that nodes cannot pull (``images``), by ``cause``, ``at`` and ``is_mirrored``; None if there
    are none."""
    retries: Sequence[Mapping[str, Any]] | None = None
    """The first rows of ``waiting_retries``; None if there are none."""
    failures: Sequence[Mapping[str, Any]] | None = None
    """The rows of ``unsolved_failures``; None if there are none."""
    is_stale: bool = False
    """Whether the watcher of a cluster no longer reports."""
    images: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(mapping_states.COUNTED_STATES, 0))


_SMALL: Final = (
    "is_mapped",
    "is_backfilling",
    "differing",
    "forgotten",
    "workloads",
    "unprotected",
    "loops",
    "disturbed",
    "pulls",
    "retries",
    "failures",
    "is_stale",
)


def dashboard_facts(now: datetime, since: datetime, cluster: str = "") -> DashboardFacts:
    """Return the facts, read with one query. With ``cluster``, backfills, readiness, restart loops and failing pulls
    are those of that cluster. ``failures`` are those since ``since``."""
    scope: dict[str, str] = {"cluster": cluster} if cluster else {}
    differing = TargetRepository.objects.filter(has_differences=True).order_by().values("has_differences")
    forgotten = Revision.objects.filter(table=ImageMapping._meta.db_table).values("number")
    # The facts are subqueries of the first row of Revision, which has rows as soon as anything is configured.
    images, started = mapping_states.state_count_cache.get(), time.monotonic()
    row = Revision.objects.annotate(
        is_mapped=Exists(ImageMapping.objects.all()),
        is_backfilling=Exists(BackfillRun.objects.active().filter(**scope)),
        differing=Coalesce(Subquery(differing.annotate(n=Count("*")).values("n")), 0),
        forgotten=Coalesce(Subquery(forgotten), 0),
        **readiness.sums(now, **scope),
        loops=rows_counted(RestartLoop.objects.active().filter(**scope)),
        disturbed=JsonRows(disturbed_targets().values(*BANNER_FIELDS)),
        pulls=JsonRows(failing_images(**scope)),
        retries=JsonRows(waiting_retries()[:MOST_RETRIES]),
        failures=JsonRows(unsolved_failures(since)),
        is_stale=Exists(Cluster.objects.stale()),
        **(mapping_states.counts() if images is None else {}),
    ).values(*_SMALL, *(mapping_states.COUNTED_STATES if images is None else ()))
    if (facts := row.first()) is None:
        return DashboardFacts()
    if images is None:
        images = {state: facts.pop(state) for state in mapping_states.COUNTED_STATES}
        mapping_states.state_count_cache.put(images, seconds=time.monotonic() - started)
    return DashboardFacts(**facts, images=images)


def hosts(now: datetime) -> dict[str, Any]:
    """Return the rate limited hosts with the end of the limit, and the remaining pulls reported within a day."""
    is_limited = Q(resting_until__gt=now, resting_until__lte=now + timedelta(seconds=LONGEST_PAUSE))
    is_reported = Q(remaining__isnull=False, updated_at__gt=now - timedelta(days=1))
    # A host can have a budget for each credential. Show the latest end of their limits, and the fewest remaining pulls.
    reported = HostBudget.objects.filter(is_limited | is_reported).order_by().values("host")
    limited = reported.annotate(
        until=Max("resting_until", filter=is_limited), left=Min("remaining", filter=is_reported)
    )
    rows = list(limited.order_by("host").values_list("host", "until", "left")[:MOST_HOSTS_NAMED])
    return {
        "resting_hosts": {host: until for host, until, _ in rows if until is not None},
        "remaining_pulls": {host: remaining for host, _, remaining in rows if remaining is not None},
    }


def running_processes(now: datetime, cluster: str = "") -> dict[str, Any]:
    """Return the number of running webhooks and workers, of all clusters or of one, and the earliest expiry of the
    webhooks' certificates. ``has_webhook`` and ``has_worker`` cover all clusters, because workers run the jobs of all
    clusters. ``configuration_problems`` describes processes that do not apply their configuration file."""
    counts = dict.fromkeys(SEEN_WITHIN, 0)
    ends: list[datetime] = []
    running: set[str] = set()
    configuration_problems: list[str] = []
    rows = Instance.objects.order_by("role", "name").values_list("role", "name", "cluster", "facts", "seen_at")
    for role, name, process_cluster, facts, seen_at in rows:
        if now - seen_at > SEEN_WITHIN[role]:
            continue
        running.add(role)
        if cluster and process_cluster != cluster:
            continue
        counts[role] += 1
        if expires := facts.get("certificate_expires_at"):
            ends.append(datetime.fromisoformat(expires))
        if problem := facts.get("problem"):
            configuration_problems.append(f"The {role} {name} does not apply its configuration file: {problem}")
    return {
        "webhooks": counts["webhook"],
        "workers": counts["worker"],
        "has_webhook": "webhook" in running,
        "has_worker": "worker" in running,
        "certificate_expires_at": min(ends, default=None),
        "configuration_problems": configuration_problems,
    }


def processes_by_cluster() -> Mapping[tuple[str, str], int]:
    """Return the number of processes that have reported recently, by role and cluster."""
    now, longest = timezone.now(), max(SEEN_WITHIN.values())
    rows = Instance.objects.values_list("role", "cluster", "seen_at")
    return Counter((role, cluster) for role, cluster, at in rows if now - at <= SEEN_WITHIN.get(role, longest))


def clusters_with_workers() -> set[str]:
    """Return the clusters with a worker that has reported recently."""
    recently = ExpressionWrapper(Now() - SEEN_WITHIN["worker"], output_field=DateTimeField())
    workers = Instance.objects.filter(role="worker", seen_at__gt=recently)
    return set(workers.order_by().values_list("cluster", flat=True).distinct())


def copies_under_way(limit: int = 10) -> Iterable[MirrorJob]:
    """Return running jobs with their progress, the oldest first."""
    running = MirrorJob.objects.filter(status=JobStatus.RUNNING).select_related("mapping", "progress")
    return running.order_by("id")[:limit]
