"""The broker of wake-ups: django-q2's database broker, extended by an order and a not-before time."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import DatabaseError, Error, InterfaceError, connections, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django_q.brokers.orm import ORM
from django_q.models import OrmQ

from mirrors.jobs.queue import liveness
from mirrors.jobs.timing import from_now
from mirrors.selectors.queries.fixed_query import Argument, fixed_query
from swapper_project.process import outage_log
from swapper_project.process.database_connection import close_unusable_connection

log = structlog.get_logger(__name__)

DATABASE_ALIAS = "default"
LONGEST_DELAY = timedelta(hours=1)
"""The longest delay of a wake-up: well below the lock of wake-ups in work (``retry``), so that the two can be
distinguished."""

WARN_EVERY = 30.0
"""Seconds between two log lines about a database that does not respond."""


@fixed_query
def _first_ready(list_key: Argument) -> QuerySet[OrmQ, Any]:
    """Return the next wake-up, if there is one. Each worker polls several times a second."""
    return OrmQ.objects.filter(key=list_key, lock__lte=Now()).order_by("id").values_list("id")[:1]


class OrderedBroker(ORM):
    """A broker that delivers wake-ups in the order in which they were enqueued, each to one worker, and none before its
    time.

    ``not_before`` (aware) delays wake-ups that are enqueued through this object, by an hour at most: a drain that runs
    too early schedules the next wake-up itself.
    """

    not_before: datetime | None = None
    _next_warning_at = 0.0

    @staticmethod
    def get_connection(list_key: str | None = None) -> Any:
        """Return the manager of the queue's rows. Sends no query, because a worker may start before the database."""
        close_unusable_connection()
        return OrmQ.objects.using(DATABASE_ALIAS)

    def enqueue(self, task: str) -> int:
        lock = min(self.not_before, timezone.now() + LONGEST_DELAY) if self.not_before else Now()
        package = self.get_connection().create(key=self.list_key, payload=task, lock=lock)
        return int(package.pk)

    def dequeue(self) -> list[tuple[int, str]] | None:
        """Return the next wake-ups, locked for ``retry`` seconds. If there are none, returns None after a pause."""
        try:
            # Check without a lock first: the polling of an idle cluster must not delay writers on SQLite.
            close_unusable_connection()
            if _first_ready(self.list_key) and (claimed := self._claim()):
                return claimed
        except (DatabaseError, InterfaceError) as error:
            # An exception would stop django-q2's pusher. The queue is unchanged when the database is available again.
            self._warn(error)
            connections[DATABASE_ALIAS].close()
        time.sleep(settings.Q_CLUSTER["poll"])
        return None

    def _warn(self, error: Error) -> None:
        """Log a warning, but not at each poll, because the database may be unavailable for hours."""
        if time.monotonic() >= self._next_warning_at:
            self._next_warning_at = time.monotonic() + WARN_EVERY
            outage_log.warn("The queue cannot be read; trying again", error)

    def _claim(self) -> list[tuple[int, str]]:
        with transaction.atomic(using=DATABASE_ALIAS):
            first = self._ready().order_by("id").select_for_update(skip_locked=True)
            rows = list(first[: settings.Q_CLUSTER["bulk"]])
            locked_until = from_now(settings.Q_CLUSTER["retry"])
            self.get_connection().filter(id__in=[row.pk for row in rows]).update(lock=locked_until)
        return [(row.pk, row.payload) for row in rows]

    def acknowledge(self, task_id: int) -> None:
        """Delete a finished wake-up. If the deletion fails, the wake-up is delivered again after ``retry`` seconds, and
        finds nothing to do."""
        try:
            self.get_connection().filter(pk=task_id).delete()
        except (DatabaseError, InterfaceError) as error:
            # An exception would stop django-q2's monitor.
            outage_log.warn("A wake-up cannot be acknowledged", error)
            connections[DATABASE_ALIAS].close()

    def _ready(self) -> QuerySet[OrmQ]:
        ready: QuerySet[OrmQ] = self.get_connection().filter(key=self.list_key, lock__lte=Now())
        return ready

    def queue_size(self) -> int:
        """Return the number of wake-ups that workers can dequeue now."""
        return self._ready().count()

    def delayed_size(self, until: datetime) -> int:
        """Return the number of wake-ups that are delayed until some time not after ``until``."""
        until = min(until, timezone.now() + LONGEST_DELAY)
        delayed: QuerySet[OrmQ] = self.get_connection().filter(key=self.list_key, lock__gt=Now(), lock__lte=until)
        return delayed.count()

    def set_stat(self, key: str, value: str, timeout: int) -> object:
        """Record a sign of life: the sentinel calls this in each turn of its guard loop."""
        liveness.touch()
        return super().set_stat(key, value, timeout)
