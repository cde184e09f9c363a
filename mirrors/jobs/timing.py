"""The durations of jobs and workers, in one dataclass, so that tests can shorten them with ``settings.JOB_TIMING``.

Points in time are by the database's clock, because the clocks of pods differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

from django.conf import settings
from django.db.models import DateTimeField, ExpressionWrapper
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now


@dataclass(frozen=True, slots=True)
class Timing:
    """Durations in seconds, except for the fields that end in ``_days``."""

    heartbeat: float = 5.0
    """The interval between two renewals of the leases of running jobs."""
    lease: float = 20.0
    """The duration of a lease: four heartbeats. The copy of a killed worker restarts within half a minute."""
    poll: float = 0.5
    """The interval between two checks for due jobs while a slot is free."""
    linger: float = 2.0
    """How long a drain still polls when no job is due, because a request may be about to be committed."""
    drain_limit: float = 1_800.0
    """After this, a drain ends as soon as no job runs; until then it claims a job whenever a slot is free."""
    drain_end: float = 14_400.0
    """After this, a drain hands its running jobs back, because django-q2 kills a task after six hours."""
    hand_back_within: float = 15.0
    """How long running copies have, after a stop was requested, before the drain releases their jobs for them."""
    stop_within: float = 25.0
    """From SIGTERM to the exit of a worker: less than the 30 s that Kubernetes waits by default."""
    retry_base: float = 20.0
    """The delay before the second attempt. It doubles with each further attempt, and half of it is random."""
    retry_cap: float = 900.0
    """The upper limit of the delay before an attempt."""
    rate_limit_pause: float = 60.0
    """The pause for a host that limits requests without specifying how long to wait."""
    probe: float = 30.0
    """How long only one job sends requests to a host after its rate limit has ended, unless the host responds
    sooner."""
    wait_for_hosts: float = 86_400.0
    """How long after its request a job waits for rate limited hosts without counting attempts."""
    database_patience: float = 600.0
    """How long a worker retries to write the result of a copy while the database is unavailable."""
    budget_period: float = 1.0
    """The interval between two renewals of a process's shares of budgets and two checks for limited hosts, while it
    sends requests."""
    existence_period: float = 5.0
    """The interval between two turns of the one process that checks which images the target still has."""
    existence_lease: float = 30.0
    """The duration of the lease for these checks: several turns, because a slow target makes a turn longer."""
    watch_period: float = 10.0
    """The interval between two turns of a watcher: the database lags behind the cluster by up to this."""
    watch_reading: float = 1.0
    """The interval between two turns of a watcher until it has listed everything once, which takes seconds."""
    watch_lease: float = 35.0
    """The duration of a watcher's lease: three turns. After this, another watcher takes over from one that was
    killed."""
    lookout_period: float = 3.0
    """The interval between two checks for jobs of lost workers, and for due jobs without a wake-up."""
    reconcile_period: float = 60.0
    """The interval between two turns of the tasks that can wait, such as this worker's report and the deletion of old
    history."""
    config_poll: float = 2.0
    """The interval between two checks of the configuration file for changes."""
    keep_jobs_days: float = 30.0
    """Finished jobs and backfills, which have the most rows: kept for the longest period that the dashboard shows."""
    keep_blobs_days: float = 90.0
    """The repositories that have a blob, to mount it from. A blob that no copy has used for so long is seldom
    needed."""
    keep_counts_days: float = 90.0
    """Decisions by hour and uses by workload: a quarter, so that monthly workloads are included."""
    keep_samples_days: float = 7.0
    """Admission samples: one week, with each weekday once. They are the largest rows, because they hold whole pods."""
    keep_actions_days: float = 365.0
    """The activity record (users and their actions): one year for audits. It has few rows."""
    keep_instances_days: float = 1.0
    """Stopped processes: one day shows those of the last rollout. Pods get new names at each rollout."""
    keep_checks_days: float = 30.0
    """Connection tests, except for the last one of each registry: as long as the jobs that they explain."""
    keep_wakeups_days: float = 7.0
    """Tasks of django-q2, of which only failures matter: long enough to find a failure after a weekend."""
    keep_changes_days: float = 365.0
    """The change history of filters, registries and users: one year for audits."""
    keep_sign_ins_days: float = 90.0
    """Sign-ins with IP addresses, which are personal data: long enough to investigate an incident, less than a year."""
    keep_failures_days: float = 1 / 24
    """Failing pulls that no watcher reports any more: a running watcher records them each minute."""
    keep_clusters_days: float = 30.0
    """Clusters without a watcher, with their running images: a cluster that returns within a month finds its rows."""

    def __post_init__(self) -> None:
        if self.lease < 2 * self.heartbeat:
            raise ValueError("JOB_TIMING: a lease must last at least two heartbeats")


def timing() -> Timing:
    """Return the defaults, overridden by ``settings.JOB_TIMING``."""
    return _overridden(tuple(getattr(settings, "JOB_TIMING", {}).items()))


@lru_cache(maxsize=8)
def _overridden(durations: tuple[tuple[str, float], ...]) -> Timing:
    """Return the defaults with these durations. Cached, because each job needs about ten of them."""
    return Timing(**dict(durations))


def from_now(seconds: float) -> ExpressionWrapper[CombinedExpression]:
    """Return the time in so many seconds (negative: in the past), as an expression for filters and updates."""
    return ExpressionWrapper(Now() + timedelta(seconds=seconds), output_field=DateTimeField())
