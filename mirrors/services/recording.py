"""What webhook processes noticed, written in batches: uses, decisions, answers of targets."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F
from django.db.models.functions import Now

from mirrors.models import DecisionCount, Existence, ImageMapping, ImageUse

USE_WRITTEN_EVERY = timedelta(hours=1)


class UseKey(NamedTuple):
    """A workload that runs an image."""

    mapping_id: int
    namespace: str
    workload_kind: str
    workload: str


class DecisionKey(NamedTuple):
    """What decisions are counted by."""

    hour: datetime
    namespace: str
    source_host: str
    decision: str
    reason: str

    @staticmethod
    def this_hour() -> datetime:
        return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def record_uses(*, uses: set[UseKey]) -> None:
    """Note that these workloads were admitted now. Rows are written at most once an hour each."""
    # Sorted: two upserters that touch the same rows in different orders deadlock.
    ordered = sorted(uses)
    with transaction.atomic():
        ids = {key.mapping_id for key in ordered}
        existing = set(ImageMapping.objects.filter(id__in=ids).values_list("id", flat=True))
        ordered = [key for key in ordered if key.mapping_id in existing]
        ImageUse.objects.bulk_create([ImageUse(**key._asdict()) for key in ordered], ignore_conflicts=True)
        an_hour_ago = ExpressionWrapper(Now() - USE_WRITTEN_EVERY, output_field=DateTimeField())
        for key in ordered:
            ImageUse.objects.filter(**key._asdict(), last_seen_at__lt=an_hour_ago).update(last_seen_at=Now())
        ImageMapping.objects.filter(id__in=existing, last_seen_at__lt=an_hour_ago).update(last_seen_at=Now())


def record_decisions(*, counts: Mapping[DecisionKey, int]) -> None:
    """Add to the hourly counts of decisions."""
    ordered = sorted(counts)
    with transaction.atomic():
        DecisionCount.objects.bulk_create([DecisionCount(**key._asdict()) for key in ordered], ignore_conflicts=True)
        for key in ordered:
            DecisionCount.objects.filter(**key._asdict()).update(images=F("images") + counts[key])


def record_existence(*, target_registry_id: int, answers: Mapping[str, tuple[str, str]]) -> None:
    """Note what the target said: ``{source: (existence, digest)}``; other webhooks see it within 2 s."""
    with transaction.atomic():
        for source, (existence, digest) in sorted(answers.items()):
            rows = ImageMapping.objects.filter(target_registry_id=target_registry_id, source=source)
            if existence == Existence.PRESENT and digest:
                rows.filter(target_digest="").update(target_digest=digest)
            rows.record(existence=existence, verified_at=Now())
