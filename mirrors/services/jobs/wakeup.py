"""Wake-ups for the queue. A wake-up carries nothing: what is due is found in our own rows."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Protocol, cast

from django.conf import settings
from django_q.brokers import get_broker
from django_q.tasks import async_task

DRAIN_TASK = "mirrors.jobs.process.tasks.drain"

JOBS_PER_WAKEUP = 8
"""As many copies as a process makes at a time by default."""


class HoldingBroker(Protocol):
    """The interface of the broker in ``Q_CLUSTER``."""

    not_before: datetime | None

    def queue_size(self) -> int: ...
    def held_size(self, until: datetime) -> int: ...


def wake_workers(*, jobs: int = 1, not_before: datetime | None = None) -> None:
    """Queue a wake-up for each process that this number of due jobs keeps busy, in the caller's transaction, unless
    enough of them wait already (twice as many as workers).

    With ``not_before`` (aware) it is held back until then, for a job that is due later. The bound is a soft one:
    transactions that commit at the same moment may each add theirs.
    """
    broker = cast(HoldingBroker, get_broker())
    waiting = broker.queue_size() if not_before is None else broker.held_size(not_before)
    workers: int = settings.Q_CLUSTER["workers"]
    broker.not_before = not_before
    for _ in range(min(math.ceil(jobs / JOBS_PER_WAKEUP), 2 * workers - waiting)):
        async_task(DRAIN_TASK, broker=broker)  # type: ignore[no-untyped-call]
