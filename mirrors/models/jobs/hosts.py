"""Registry hosts, as all workers share them: which are rate limited, and how much each worker process may send.

The state is called "rate limited" everywhere, but columns and fields of the API keep the names of earlier releases
(`resting_until`, `slowed_until`, `held_until`, `paused_until`).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from mirrors.models.jobs.jobs import Priority
from mirrors.vocabulary.bounds import HOST_LENGTH, LONGEST_PAUSE, ReadableDateTimeField

PULLS: Final = "pulls"
"""The value of ``operation`` in rows with the remaining pulls of an account."""


class HostBudgetQuerySet(models.QuerySet["HostBudget"]):
    """Predicates that use the database's clock. They ignore a limit that is longer than the longest pause."""

    def rate_limited(self) -> HostBudgetQuerySet:
        """Hosts that jobs must not send requests to now: they are rate limited, or one job is probing whether the
        limit has ended."""
        is_waiting = Q(resting_until__gt=Now(), resting_until__lte=_latest_end())
        is_probed = Q(resting_until__isnull=False, probe_until__gt=Now(), probe_until__lte=_latest_end())
        return self.filter(is_waiting | is_probed)

    def limited_for_low_priority(self) -> HostBudgetQuerySet:
        """Hosts that are limited only for copies of low priority."""
        return self.filter(held_until__gt=Now(), held_until__lte=_latest_end())

    def briefly_limited(self) -> HostBudgetQuerySet:
        """Hosts that limit requests for a short time: copies continue, but their requests wait."""
        return self.filter(slowed_until__gt=Now(), slowed_until__lte=_latest_end())

    def limited(self) -> HostBudgetQuerySet:
        """Hosts whose rate limit an operator can end, whatever its length."""
        return self.filter(Q(resting_until__isnull=False) | Q(slowed_until__gt=Now()) | Q(held_until__gt=Now()))

    def to_probe(self) -> HostBudgetQuerySet:
        """Hosts whose rate limit has ended, and of which no job has confirmed yet that they accept requests again."""
        return self.filter(Q(resting_until__lte=Now()) | Q(resting_until__gt=_latest_end()))

    def without_probe(self) -> HostBudgetQuerySet:
        return self.exclude(probe_until__gt=Now(), probe_until__lte=_latest_end())


def _latest_end() -> models.ExpressionWrapper[Any]:
    longest = Now() + timedelta(seconds=LONGEST_PAUSE)
    return models.ExpressionWrapper(longest, output_field=models.DateTimeField())


class HostBudget(models.Model):
    """The rate limit of a host: the remaining pulls, and the times until which requests wait."""

    host = models.CharField(max_length=HOST_LENGTH)
    credential = models.CharField(
        max_length=255, blank=True, help_text="The credentials that the limit applies to; empty: anonymous."
    )
    operation = models.CharField(max_length=30, blank=True)
    resting_until = ReadableDateTimeField(null=True, blank=True)
    probe_until = ReadableDateTimeField(
        null=True, blank=True, editable=False, help_text="Until when only one job may send requests after the pause."
    )
    remaining = models.IntegerField(null=True, blank=True, help_text="Remaining pulls, as the registry reports them.")
    pull_limit = models.IntegerField(
        null=True, blank=True, help_text="Pulls that the registry allows in its time window."
    )
    per_second = models.FloatField(
        null=True,
        blank=True,
        help_text="Requests per second that all workers may send together (transfer: layers at the same time).",
    )
    slowed_until = ReadableDateTimeField(
        null=True, blank=True, help_text="Until when requests wait because the host limits them for a short time."
    )
    held_until = ReadableDateTimeField(
        null=True, blank=True, help_text="Until when copies of a lower priority wait for this host."
    )
    held_from = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="Copies with this priority or a lower one wait; larger values are lower priorities.",
    )
    updated_at = models.DateTimeField(auto_now=True)

    objects = HostBudgetQuerySet.as_manager()

    class Meta:
        verbose_name = "rate limit"
        constraints = [
            models.UniqueConstraint(fields=["host", "credential", "operation"], name="host_budget_unique"),
        ]

    def __str__(self) -> str:
        return self.host

    @property
    def paused_until(self) -> datetime | None:
        """The end of the current rate limit; None if the host is not limited."""
        return max(filter(None, (_if_upcoming(self.resting_until), _if_upcoming(self.slowed_until))), default=None)

    @property
    def low_priority_until(self) -> datetime | None:
        """The time until which copies of low priority wait for this host; None if they do not wait."""
        return _if_upcoming(self.held_until)

    @property
    def waiting_priorities(self) -> list[str]:
        """The priorities whose copies wait until ``low_priority_until``."""
        if self.held_from is None or self.low_priority_until is None:
            return []
        return [str(priority.label).lower() for priority in Priority if priority >= self.held_from]


def _if_upcoming(until: datetime | None) -> datetime | None:
    """Return the time if it is in the future and within the longest pause, else None."""
    now = timezone.now()
    return until if until and now < until <= now + timedelta(seconds=LONGEST_PAUSE) else None


class BudgetShare(models.Model):
    """The share of a host's budget that one worker process may use. It expires after some seconds, so that a process
    that stops does not keep it."""

    budget = models.ForeignKey(HostBudget, on_delete=models.CASCADE, related_name="shares", db_index=False)
    worker = models.CharField(max_length=255, help_text="Host (in a cluster, the pod), process ID and a random part.")
    wanted = models.FloatField(help_text="Requests per second that the process could use.")
    granted = models.FloatField(help_text="Requests per second that the process may send.")
    expires_at = models.DateTimeField()

    class Meta:
        verbose_name = "share of a rate limit"
        verbose_name_plural = "shares of rate limits"
        constraints = [models.UniqueConstraint(fields=["budget", "worker"], name="budget_share_unique")]
        indexes = [models.Index(fields=["worker"], name="budget_share_of_worker")]

    def __str__(self) -> str:
        return f"{self.granted:g} of {self.worker}"
