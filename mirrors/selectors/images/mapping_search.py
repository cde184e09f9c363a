"""Search for mappings by image, and by the words that pages show for a reason."""

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
SHORTEST: Final = 3
"""Characters that are searched for in reasons: fewer begin too many of them."""


def with_reasons(rows: Rows, reasons: Collection[str]) -> Rows:
    """Images that have one of the obstacles, or have none and whose last copy failed with one of the errors, maybe only
    until its next attempt. Rate limited are also those whose queued copy waits for the limit of a host."""
    errors = [reason for reason in reasons if reason not in Obstacle.values]
    failed = Q(obstacle="", last_job__status__in=WITH_REASON, last_job__error_class__in=errors)
    found = rows.filter(failed) if len(errors) == len(reasons) else rows.filter(failed | Q(obstacle__in=reasons))
    if ErrorClass.RATE_LIMITED not in errors:
        return found
    limited = MirrorJob.objects.filter(~free_hosts.free(), status=JobStatus.PENDING)
    return _either(rows, found, rows.filter(obstacle="", last_job__in=limited))


def search_mappings(rows: Rows, words: Sequence[str]) -> Rows:
    """Images whose names have all the words, and those whose reason the words are the beginning of."""
    found = search(rows, words, SEARCH_FIELDS[ImageMapping])
    phrase = _plain(" ".join(words))
    reasons = [value for value, label in REASON_CHOICES if value and _begins(phrase, value, str(label))]
    if len(phrase) < SHORTEST or not reasons:
        return found
    return _either(rows, found, with_reasons(rows, reasons))


def _either(rows: Rows, one: Rows, other: Rows) -> Rows:
    """One condition over two tables has no index; each of two queries has one."""
    return rows.filter(pk__in=one.order_by().values("pk").union(other.order_by().values("pk")))


def _begins(phrase: str, *texts: str) -> bool:
    return any(_plain(text).startswith(phrase) for text in texts)


def _plain(text: str) -> str:
    return text.lower().replace("-", " ")
