"""Search for mappings by image, and by the labels that pages show for reasons."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from django.db.models import Q, QuerySet

from mirrors.models import ErrorClass, ImageMapping, JobStatus, MirrorJob, Obstacle
from mirrors.selectors.images.mapping_states import WITH_REASON
from mirrors.selectors.jobs import free_hosts
from mirrors.selectors.queries.search import search
from mirrors.selectors.queries.search_fields import SEARCH_FIELDS

Rows = QuerySet[ImageMapping]
REASON_CHOICES: Final = (*Obstacle.choices, *ErrorClass.choices)
FEWEST_CHARACTERS: Final = 3
"""The fewest characters that are searched for in reasons, because shorter text is the beginning of too many reasons."""


def with_reasons(rows: Rows, reasons: Collection[str]) -> Rows:
    """Return the mappings with one of the obstacles, and those without an obstacle whose last job failed with one of
    the errors, or waits for its next attempt after it. ``rate-limited`` includes mappings whose queued job waits for
    the rate limit of a host."""
    errors = [reason for reason in reasons if reason not in Obstacle.values]
    failed = Q(obstacle="", last_job__status__in=WITH_REASON, last_job__error_class__in=errors)
    found = rows.filter(failed) if len(errors) == len(reasons) else rows.filter(failed | Q(obstacle__in=reasons))
    if ErrorClass.RATE_LIMITED not in errors:
        return found
    limited = MirrorJob.objects.filter(~free_hosts.free(), status=JobStatus.PENDING)
    return _union(rows, found, rows.filter(obstacle="", last_job__in=limited))


def search_mappings(rows: Rows, words: Sequence[str]) -> Rows:
    """Return the mappings whose names contain all words, and those with a reason that starts with the words."""
    found = search(rows, words, SEARCH_FIELDS[ImageMapping])
    phrase = _normalized(" ".join(words))
    reasons = [value for value, label in REASON_CHOICES if value and _any_starts_with(phrase, value, str(label))]
    if len(phrase) < FEWEST_CHARACTERS or not reasons:
        return found
    return _union(rows, found, with_reasons(rows, reasons))


def _union(rows: Rows, first: Rows, second: Rows) -> Rows:
    """Combine two queries by a union, because no index serves a condition over two tables, but each query has one."""
    return rows.filter(pk__in=first.order_by().values("pk").union(second.order_by().values("pk")))


def _any_starts_with(phrase: str, *texts: str) -> bool:
    return any(_normalized(text).startswith(phrase) for text in texts)


def _normalized(text: str) -> str:
    return text.lower().replace("-", " ")
