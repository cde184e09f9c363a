"""How long things may take in the jobs: one value, so that tests can shorten it by ``settings.JOB_TIMING``."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds, if nothing else is said."""

    heartbeat: float = 10.0
    lease: float = 30.0
    poll: float = 0.5
    """Between two looks for due jobs while a slot is free."""
    linger: float = 2.0
    """How long a drain still looks when nothing is due: an order may just be on its way into the database."""
    drain_limit: float = 1_800.0
    hand_back_within: float = 15.0
    """What running copies get after a stop before their jobs are handed back over their heads."""
    stop_within: float = 25.0
    retry_base: float = 20.0
    retry_cap: float = 900.0
    database_patience: float = 600.0
    """How long the end of a copy is tried to be written while the database is away."""
    reconcile_period: float = 60.0
    config_poll: float = 2.0
    keep_jobs_days: float = 30.0
    keep_blobs_days: float = 90.0
    keep_counts_days: float = 90.0
    keep_samples_days: float = 7.0
    keep_actions_days: float = 365.0
    keep_instances_days: float = 1.0
    keep_checks_days: float = 30.0
    keep_wakeups_days: float = 7.0
    keep_changes_days: float = 365.0
    keep_log_ins_days: float = 90.0

    def __post_init__(self) -> None:
        if self.lease < 2 * self.heartbeat:
            raise ValueError("JOB_TIMING: a lease must last at least two heartbeats")


def timing() -> Timing:
    """The defaults, with what the settings override."""
    return Timing(**getattr(settings, "JOB_TIMING", {}))
