"""The state of a mapping in a word, of a row and as a condition on rows; and how many mappings are in which state."""

from __future__ import annotations

import time
from typing import Final

from django.db.models import Func, IntegerField, Q, Subquery

from mirrors.models import ImageMapping, JobStatus, MirrorJob, Obstacle

OF_JOBS: Final[dict[str, str]] = {JobStatus.RUNNING: "copying", JobStatus.PENDING: "queued", JobStatus.FAILED: "failed"}
"""States that a last job gives to an image that the target is not known to have."""

_OPEN: Final = Q(paused=False, obstacle="")
_MISSING: Final = _OPEN & ~Q(existence="present")
_NO_STATE_OF_JOB: Final = ~Q(last_job__status__in=list(OF_JOBS))

STATES: Final[dict[str, Q]] = {
    "mirrored": _OPEN & Q(existence="present"),
    **{state: _MISSING & Q(last_job__status=status) for status, state in OF_JOBS.items()},
    "absent": _OPEN & Q(existence="absent") & _NO_STATE_OF_JOB,
    "unknown": _OPEN & Q(existence="unknown") & _NO_STATE_OF_JOB,
    "paused": Q(paused=True),
    Obstacle.TAMPERED.value: Q(paused=False, obstacle=Obstacle.TAMPERED),
    Obstacle.IMMUTABLE_CONFLICT.value: Q(paused=False, obstacle=Obstacle.IMMUTABLE_CONFLICT),
}
"""Each mapping is in exactly one of them."""

LISTED: Final[dict[str, tuple[str, Q]]] = {
    **{
        state: (state.capitalize(), STATES[state])
        for state in ("mirrored", "copying", "queued", "failed", "absent", "unknown", "paused")
    },
    "obstacle": ("Blocked: tampered or immutable", ~Q(obstacle="")),
}

COUNTED: Final = ("mirrored", "failed", "queued", "copying", "paused", "obstacle")
"""States that the dashboard shows. The mappings alone say most of them, in an index; of the others there are few."""

SLOW_SECONDS: Final = 0.05
"""A query with these counts that took longer is not repeated at once: each open page asks every 5 seconds."""

KEPT_FACTOR: Final = 100
"""The counts are kept for this many times its duration: then counting takes at most a hundredth of the time."""

CHOICES: Final = [(state, state) for state in STATES]


def state_of(mapping: ImageMapping) -> str:
    """First whether it is paused or blocked, then whether the target has the image, then the state of its last job."""
    if mapping.paused:
        return "paused"
    if mapping.obstacle:
        return str(mapping.obstacle)
    if mapping.existence == "present":
        return "mirrored"
    job: MirrorJob | None = mapping.last_job
    return OF_JOBS.get(job.status if job else "", str(mapping.existence))


def failed_job_of(mapping: ImageMapping) -> MirrorJob | None:
    """The last job, if it failed: its error is the mapping's last error."""
    job: MirrorJob | None = mapping.last_job
    return job if job is not None and job.status == JobStatus.FAILED else None


class KeptCounts:
    """The last counts of a process, while counting again would be slow."""

    def __init__(self) -> None:
        self._until, self._counts = 0.0, dict.fromkeys(COUNTED, 0)

    def get(self) -> dict[str, int] | None:
        return self._counts if time.monotonic() < self._until else None

    def put(self, counts: dict[str, int], *, seconds: float) -> None:
        """``seconds`` is how long the query took."""
        if seconds > SLOW_SECONDS:
            self._until, self._counts = time.monotonic() + KEPT_FACTOR * seconds, counts

    def forget(self) -> None:
        self._until = 0.0


kept = KeptCounts()


def counts() -> dict[str, Subquery]:
    """For each counted state the number of images, for a query that has other numbers too."""
    return {state: _count(LISTED[state][1]) for state in COUNTED}


def _count(condition: Q) -> Subquery:
    # A function and no aggregate: a count by group would have no row where there is nothing.
    number = Func(template="COUNT(*)", output_field=IntegerField())
    return Subquery(ImageMapping.objects.filter(condition).order_by().annotate(n=number).values("n"))
