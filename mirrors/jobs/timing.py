"""Durations in the jobs: one value, so that tests can shorten it by ``settings.JOB_TIMING``.

Times are those of the database's clock, as the clocks of pods differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db.models import DateTimeField, ExpressionWrapper
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds, if nothing else is said."""

    heartbeat: float = 5.0
    """Between two renewals of the leases of running jobs."""
    lease: float = 20.0
    """Four heartbeats: the copy of a worker that was killed begins again within half a minute."""
    poll: float = 0.5
    """Between two looks for due jobs while a slot is free."""
    linger: float = 2.0
    """How long a drain still looks when nothing is due: a request may just be on its way into the database."""
    drain_limit: float = 1_800.0
    """After this a drain ends as soon as nothing runs; until then it claims whenever a place is free."""
    drain_end: float = 14_400.0
    """After this it hands back what still runs: django-q2 kills a task after six hours."""
    hand_back_within: float = 15.0
    """How long running copies have after a stop until their jobs are released without them."""
    stop_within: float = 25.0
    """From SIGTERM to the end of a worker: less than the 30 s that Kubernetes waits by default."""
    retry_base: float = 20.0
    """Before the second attempt; it doubles with each further attempt, and half of it is random."""
    retry_cap: float = 900.0
    """Before any attempt at most."""
    rate_limit_pause: float = 60.0
    """For a host that limits requests and does not say how long to wait."""
    probe: float = 30.0
    """How long one job alone talks to a host after its rate limit, if it hears neither yes nor no."""
    wait_for_hosts: float = 86_400.0
    """How long after it was requested a job waits for rate limited hosts without counting attempts."""
    database_patience: float = 600.0
    """How long the end of a copy is tried to be written while the database is unavailable."""
    budget_period: float = 1.0
    """Between two questions of one process about shares of rate limits and limited hosts, while it sends requests."""
    existence_period: float = 5.0
    """Between two turns of the one process that checks which images the target still has."""
    existence_lease: float = 30.0
    """Several turns, each with as many checks as a slow target answers in it."""
    watch_period: float = 10.0
    """Between two turns of a watcher: rows follow the cluster by so much."""
    watch_reading: float = 1.0
    """Between two turns of a watcher until it has listed everything once, which takes seconds."""
    watch_lease: float = 35.0
    """Three turns of a watcher. Another one takes over so long after it was killed."""
    lookout_period: float = 3.0
    """Between two looks for jobs whose worker was lost, and for due jobs that nobody was woken for."""
    reconcile_period: float = 60.0
    """Between two turns of what can wait: this worker's report, and old history."""
    config_poll: float = 2.0
    """Between two looks at the configuration file."""
    keep_jobs_days: float = 30.0
    """Finished jobs and backfills, most of all rows: the longest period of the dashboard, and no more."""
    keep_blobs_days: float = 90.0
    """Which repository has a blob, to mount it from there. One that no copy has met for so long is seldom met again."""
    keep_counts_days: float = 90.0
    """Decisions by hour and uses by workload: a quarter, so that what runs once a month is seen."""
    keep_samples_days: float = 7.0
    """Admissions are whole pods, the largest rows: one week has each day of the week once."""
    keep_actions_days: float = 365.0
    """Who ran which action: few rows, for audits, which look back one year."""
    keep_instances_days: float = 1.0
    """Processes that stopped: those of the last rollout are shown, and pods get new names at each."""
    keep_checks_days: float = 30.0
    """Connection tests but the last of each registry: as long as the jobs that they explain."""
    keep_wakeups_days: float = 7.0
    """Tasks of django-q2, of which only failures say anything: time to find one after a weekend."""
    keep_changes_days: float = 365.0
    """Who changed which filter, registry or user: for audits too."""
    keep_log_ins_days: float = 90.0
    """Sign-ins with IP addresses, which are personal data: long enough to look into an incident, and no year."""
    keep_failures_days: float = 1 / 24
    """Failing pulls that no watcher sees any more: one that runs notes them each minute."""
    keep_clusters_days: float = 30.0
    """Clusters without a watcher, with what ran in them: one that comes back within a month finds its rows."""

    def __post_init__(self) -> None:
        if self.lease < 2 * self.heartbeat:
            raise ValueError("JOB_TIMING: a lease must last at least two heartbeats")


def timing() -> Timing:
    """The defaults, with what the settings override."""
    return Timing(**getattr(settings, "JOB_TIMING", {}))


def from_now(seconds: float) -> ExpressionWrapper[CombinedExpression]:
    """A point in time so many seconds ahead (or, when negative, ago), as an expression for filters and updates."""
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())
