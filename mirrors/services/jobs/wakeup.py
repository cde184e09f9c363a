"""Wake-ups for workers, as tasks of django-q2. A wake-up has no arguments: workers find the due jobs in our tables."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Protocol, cast

from django.conf import settings
from django_q.brokers import get_broker
from django_q.tasks import async_task

DRAIN_TASK = "mirrors.jobs.process.tasks.drain"

JOBS_PER_WAKEUP = 8
"""The default number of copies that a worker process runs at the same time."""


class DelayingBroker(Protocol):
    """The interface of the broker in ``Q_CLUSTER``."""

    not_before: datetime | None

    def queue_size(self) -> int: ...
    def delayed_size(self, until: datetime) -> int: ...


def wake_workers(*, jobs: int = 1, not_before: datetime | None = None) -> None:
    """Queue a wake-up for each process that this number of due jobs keeps busy, in the caller's transaction, unless
    enough wake-ups (twice as many as workers) are queued already.

    With ``not_before`` (an aware time), the wake-ups are held until then, for a job that is due later. The limit is not
    strict: transactions that commit at the same time can each add wake-ups.
    """
    broker = cast(DelayingBroker, get_broker())
    waiting = broker.queue_size() if not_before is None else broker.delayed_size(not_before)
    workers: int = settings.Q_CLUSTER["workers"]
    broker.not_before = not_before
    for _ in range(min(math.ceil(jobs / JOBS_PER_WAKEUP), 2 * workers - waiting)):
        async_task(DRAIN_TASK, broker=broker)  # type: ignore[no-untyped-call]
