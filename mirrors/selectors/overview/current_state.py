"""The current state: processes that run, rate limited hosts, running copies, and what a page must know beside them."""

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
from mirrors.selectors.clusters.suspensions import OF_BANNER, disturbed_targets
from mirrors.selectors.images import mapping_states
from mirrors.selectors.jobs.retries import unsolved_failures, waiting_retries
from mirrors.selectors.queries.subqueries import JsonRows, rows_counted
from mirrors.vocabulary.bounds import LONGEST_PAUSE

SEEN_WITHIN: Final = {
    "webhook": timedelta(seconds=120),
    "worker": timedelta(seconds=180),
    "watcher": timedelta(seconds=60),
}
"""How long after its last report a process counts as running."""

MOST_HOSTS_NAMED: Final = 100
"""Rate-limited hosts that pages and metrics name; the others are not shown."""


@dataclass(frozen=True, slots=True)
class SmallFacts:
    """Whether anything is mirrored, whether a backfill is under way, how many repositories differ from their settings,
    how often people forgot some; what clusters report; the number of images by state."""

    is_mapped: bool = False
    is_backfilling: bool = False
    differing: int = 0
    forgotten: int = 0
    workloads: int | None = None
    """Of clusters that are watched, and those of them that need a source to start; None without such clusters."""
    unprotected: int | None = None
    loops: int = 0
    disturbed: Sequence[Mapping[str, Any]] | None = None
    """Targets that nodes cannot pull from, of all clusters; None where there are none."""
    pulls: Sequence[Mapping[str, Any]] | None = None
    """Images that nodes cannot pull, as ``images``, by ``cause``, ``at`` and ``is_mirrored``; None where there are
    none."""
    retries: Sequence[Mapping[str, Any]] | None = None
    """See ``waiting_retries``; None where there are none."""
    failures: Sequence[Mapping[str, Any]] | None = None
    """See ``unsolved_failures``; None where there are none."""
    is_stale: bool = False
    """Whether a cluster is not watched any more."""
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


def small_facts(now: datetime, since: datetime, cluster: str = "") -> SmallFacts:
    """In one query. With a cluster, what clusters report is of that one; failures are those of the time range."""
    of: dict[str, str] = {"cluster": cluster} if cluster else {}
    differing = TargetRepository.objects.filter(has_differences=True).order_by().values("has_differences")
    forgotten = Revision.objects.filter(table=ImageMapping._meta.db_table).values("number")
    # Asked of a table that has a row as soon as anything is configured: the answers are beside it.
    images, began = mapping_states.kept.get(), time.monotonic()
    row = Revision.objects.annotate(
        is_mapped=Exists(ImageMapping.objects.all()),
        is_backfilling=Exists(BackfillRun.objects.active().filter(**of)),
        differing=Coalesce(Subquery(differing.annotate(n=Count("*")).values("n")), 0),
        forgotten=Coalesce(Subquery(forgotten), 0),
        **readiness.sums(now, **of),
        loops=rows_counted(RestartLoop.objects.active().filter(**of)),
        disturbed=JsonRows(disturbed_targets().values(*OF_BANNER)),
        pulls=JsonRows(failing_images(**of)),
        retries=JsonRows(waiting_retries()),
        failures=JsonRows(unsolved_failures(since)),
        is_stale=Exists(Cluster.objects.stale()),
        **(mapping_states.counts() if images is None else {}),
    ).values(*_SMALL, *(mapping_states.COUNTED_STATES if images is None else ()))
    if (found := row.first()) is None:
        return SmallFacts()
    if images is None:
        images = {state: found.pop(state) for state in mapping_states.COUNTED_STATES}
        mapping_states.kept.put(images, seconds=time.monotonic() - began)
    return SmallFacts(**found, images=images)


def hosts(now: datetime) -> dict[str, Any]:
    """Registries that asked us to wait, and what others say is left of their pulls."""
    is_limited = Q(resting_until__gt=now, resting_until__lte=now + timedelta(seconds=LONGEST_PAUSE))
    heard = Q(remaining__isnull=False, updated_at__gt=now - timedelta(days=1))
    # A host may have a budget for each credential: what is shown is the one that ends first.
    known = HostBudget.objects.filter(is_limited | heard).order_by().values("host")
    limited = known.annotate(until=Max("resting_until", filter=is_limited), left=Min("remaining", filter=heard))
    rows = list(limited.order_by("host").values_list("host", "until", "left")[:MOST_HOSTS_NAMED])
    return {
        "resting_hosts": {host: until for host, until, _ in rows if until is not None},
        "remaining_pulls": {host: left for host, _, left in rows if left is not None},
    }


def running_processes(now: datetime, cluster: str = "") -> dict[str, Any]:
    """Count the webhooks and workers that report themselves, of all clusters or of one, and find when the first of the
    webhooks' certificates ends. ``has_webhook`` and ``has_worker`` are of any cluster: workers copy what is queued for
    all of them. A process that does not apply its configuration file is in ``configuration_problems``, with the
    reason."""
    counts = dict.fromkeys(SEEN_WITHIN, 0)
    ends: list[datetime] = []
    running: set[str] = set()
    configuration_problems: list[str] = []
    rows = Instance.objects.order_by("role", "name").values_list("role", "name", "cluster", "facts", "seen_at")
    for role, name, where, facts, seen_at in rows:
        if now - seen_at > SEEN_WITHIN[role]:
            continue
        running.add(role)
        if cluster and where != cluster:
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
    """Processes that have reported recently, by role and cluster."""
    now, longest = timezone.now(), max(SEEN_WITHIN.values())
    rows = Instance.objects.values_list("role", "cluster", "seen_at")
    return Counter((role, cluster) for role, cluster, at in rows if now - at <= SEEN_WITHIN.get(role, longest))


def clusters_with_workers() -> set[str]:
    """Clusters of which a worker has reported recently."""
    recently = ExpressionWrapper(Now() - SEEN_WITHIN["worker"], output_field=DateTimeField())
    workers = Instance.objects.filter(role="worker", seen_at__gt=recently)
    return set(workers.order_by().values_list("cluster", flat=True).distinct())


def copies_under_way(limit: int = 10) -> Iterable[MirrorJob]:
    """Running jobs with their progress, the longest first."""
    running = MirrorJob.objects.filter(status=JobStatus.RUNNING).select_related("mapping", "progress")
    return running.order_by("id")[:limit]
