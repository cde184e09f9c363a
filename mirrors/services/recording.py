"""What webhook processes noticed, written in batches: uses, decisions, answers of targets."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import structlog
from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, Q
from django.db.models.functions import Now

from mirrors.models import Access, DecisionCount, Existence, ImageMapping, ImageUse, MirrorJob, Obstacle
from mirrors.models.image_mapping import ImageMappingQuerySet

log = structlog.get_logger(__name__)

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
        older = ImageUse.objects.filter(mapping_id__in=existing, last_seen_at__lt=an_hour_ago)
        seen = [pk for pk, *key in older.order_by("pk").values_list("pk", *UseKey._fields) if UseKey(*key) in uses]
        ImageUse.objects.filter(pk__in=seen).update(last_seen_at=Now())
        ImageMapping.objects.filter(id__in=existing, last_seen_at__lt=an_hour_ago).update(last_seen_at=Now())


def record_decisions(*, counts: Mapping[DecisionKey, int]) -> None:
    """Add to the hourly counts of decisions."""
    ordered = sorted(counts)
    with transaction.atomic():
        DecisionCount.objects.bulk_create([DecisionCount(**key._asdict()) for key in ordered], ignore_conflicts=True)
        for key in ordered:
            DecisionCount.objects.filter(**key._asdict()).update(images=F("images") + counts[key])


class TargetAnswer(NamedTuple):
    """What the target said of one image, when it was asked (``time.monotonic()``). ``access`` is how its source was
    seen to be readable meanwhile, or empty."""

    target: str
    existence: str
    digest: str
    asked_at: float
    access: str = ""


def record_existence(*, target_registry_id: int, answers: Mapping[str, TargetAnswer]) -> None:
    """Note what the target said, by source; other webhooks see it within 2 s. An image that is there and has no
    mapping gets one: the database was lost, or somebody else has put it there.

    What a copy has written after the target was asked is newer, and stands.

    A digest that is not the one that was written, with no copy under way that could explain it, is an obstacle until
    the image is copied anew; what is gone from the target is in nobody's way.
    """
    with transaction.atomic():
        _insert_missing(target_registry_id, answers)
        for source, (_, existence, digest, asked_at, access) in sorted(answers.items()):
            age = timedelta(seconds=max(0.0, time.monotonic() - asked_at))
            asked = ExpressionWrapper(Now() - age, output_field=DateTimeField())
            older = Q(verified_at__isnull=True) | Q(verified_at__lt=asked)
            row = ImageMapping.objects.filter(older, target_registry_id=target_registry_id, source=source)
            # Held against a copy that ends just now.
            rows = ImageMapping.objects.filter(pk__in=list(row.select_for_update().values_list("pk", flat=True)))
            if existence == Existence.ABSENT:
                rows.record(existence=existence, verified_at=asked, obstacle=Obstacle.NONE)
                continue
            rows.record(existence=existence, verified_at=asked)
            if access:
                rows.filter(access=Access.UNKNOWN).update(access=access)
            if existence == Existence.PRESENT and digest:
                _compare(rows, source, digest)


def _insert_missing(registry_id: int, answers: Mapping[str, TargetAnswer]) -> None:
    present = {source: answer.target for source, answer in answers.items() if answer.existence == Existence.PRESENT}
    known = ImageMapping.objects.filter(target_registry_id=registry_id, source__in=present)
    missing = present.keys() - set(known.values_list("source", flat=True))
    # A target name that another source owns stays that source's.
    ImageMapping.objects.bulk_create(
        [ImageMapping(target_registry_id=registry_id, source=s, target=present[s]) for s in sorted(missing)],
        ignore_conflicts=True,
    )


def _compare(rows: ImageMappingQuerySet, source: str, digest: str) -> None:
    rows.filter(target_digest="").update(target_digest=digest)
    rows.filter(target_digest=digest, obstacle=Obstacle.TAMPERED).record(obstacle=Obstacle.NONE)
    others = rows.exclude(target_digest=digest).filter(obstacle=Obstacle.NONE)
    if others.exclude(last_job__status__in=MirrorJob.ACTIVE).record(obstacle=Obstacle.TAMPERED):
        log.error(
            "The target has another image than was written there; it is not swapped to. Find out who pushed it, "
            "then mirror the image anew: manage.py mirror IMAGE",
            image=source,
            digest=digest,
        )
