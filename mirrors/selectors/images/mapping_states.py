"""The states of mappings, as a value of a row and as conditions on rows, and the number of mappings in each state."""

from __future__ import annotations

from typing import Final

from django.db.models import Q, Subquery

from mirrors.models import ImageMapping, JobStatus, MirrorJob, Obstacle
from mirrors.selectors.queries.slow_query_cache import SlowQueryCache
from mirrors.selectors.queries.subqueries import rows_counted

STATE_OF_JOB_STATUS: Final[dict[str, str]] = {
    JobStatus.RUNNING: "copying",
    JobStatus.PENDING: "queued",
    JobStatus.FAILED: "failed",
}
"""States by the status of the last job, for images that the target is not known to have."""

_OPEN: Final = Q(paused=False, obstacle="")
_MISSING: Final = _OPEN & ~Q(existence="present")
_WITHOUT_JOB_STATE: Final = ~Q(last_job__status__in=list(STATE_OF_JOB_STATUS))

STATES: Final[dict[str, Q]] = {
    "mirrored": _OPEN & Q(existence="present"),
    **{state: _MISSING & Q(last_job__status=status) for status, state in STATE_OF_JOB_STATUS.items()},
    "absent": _OPEN & Q(existence="absent") & _WITHOUT_JOB_STATE,
    "unknown": _OPEN & Q(existence="unknown") & _WITHOUT_JOB_STATE,
    "paused": Q(paused=True),
    Obstacle.TAMPERED.value: Q(paused=False, obstacle=Obstacle.TAMPERED),
    Obstacle.IMMUTABLE_CONFLICT.value: Q(paused=False, obstacle=Obstacle.IMMUTABLE_CONFLICT),
}
"""The condition of each state. Each mapping is in exactly one state."""

LISTED: Final[dict[str, tuple[str, Q]]] = {
    **{
        state: (state.capitalize(), STATES[state])
        for state in ("mirrored", "copying", "queued", "failed", "absent", "unknown", "paused")
    },
    "obstacle": ("Blocked: tampered or immutable", Q(paused=False) & ~Q(obstacle="")),
}

COUNTED_STATES: Final = tuple(LISTED)
"""States that the dashboard shows; each image is in one. Most of them depend only on columns of the mapping that an
index covers; few images are in the others."""

WITH_REASON: Final = (JobStatus.FAILED, JobStatus.PENDING)
"""Statuses of a last job whose error is the reason why the image is not mirrored. A queued job with an error waits for
its next attempt."""

STATE_CHOICES: Final = [(state, state) for state in STATES]


def state_of(mapping: ImageMapping) -> str:
    """Return the state of a mapping. Paused and blocked take precedence, then mirrored, then the last job's state."""
    if mapping.paused:
        return "paused"
    if mapping.obstacle:
        return str(mapping.obstacle)
    if mapping.existence == "present":
        return "mirrored"
    job: MirrorJob | None = mapping.last_job
    return STATE_OF_JOB_STATUS.get(job.status if job else "", str(mapping.existence))


def failed_job_of(mapping: ImageMapping) -> MirrorJob | None:
    """Return the last job if it failed; its error is the last error of the mapping."""
    job: MirrorJob | None = mapping.last_job
    return job if job is not None and job.status == JobStatus.FAILED else None


state_count_cache: Final[SlowQueryCache[dict[str, int]]] = SlowQueryCache()


def counts() -> dict[str, Subquery]:
    """Return a subquery for the number of images in each counted state, to be part of a larger query."""
    return {state: _count(LISTED[state][1]) for state in COUNTED_STATES}


def _count(condition: Q) -> Subquery:
    return rows_counted(ImageMapping.objects.filter(condition))
