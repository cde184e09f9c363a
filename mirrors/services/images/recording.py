"""Records of webhook processes, written in batches: uses, decisions, answers of targets."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import structlog
from django.db import transaction
from django.db.models import BigIntegerField, Case, DateTimeField, ExpressionWrapper, F, Value, When
from django.db.models.functions import Now

from mirrors.models import (
    DEFAULT_CLUSTER,
    Access,
    DecisionCount,
    Existence,
    ImageMapping,
    ImageUse,
    MirrorJob,
    Obstacle,
)
from mirrors.models.images.tampering import is_tampered, without_tampering

log = structlog.get_logger(__name__)

USE_WRITTEN_EVERY = timedelta(hours=1)
"""Between two writes of a use's time: pages show it by the hour, and pods restart often."""


class UseKey(NamedTuple):
    """A workload that runs an image, by its canonical source: the mapping may not be there yet."""

    source: str
    namespace: str
    workload_kind: str
    workload: str


class DecisionKey(NamedTuple):
    """The values that decisions are counted by."""

    hour: datetime
    namespace: str
    source_host: str
    decision: str
    reason: str
    filter: str = ""
    first_seen: bool = False

    @staticmethod
    def this_hour() -> datetime:
        return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def record_uses(*, target_registry_id: int, uses: set[UseKey], cluster: str = DEFAULT_CLUSTER) -> set[UseKey]:
    """Note that these workloads of a cluster were admitted now; rows are written at most once an hour each. What has
    no mapping yet is given back."""
    mappings = ImageMapping.objects.filter(target_registry_id=target_registry_id, source__in={u.source for u in uses})
    with transaction.atomic():
        ids = dict(mappings.values_list("source", "id"))
        found = {(ids[use.source], *use[1:]) for use in uses if use.source in ids}
        if not found:
            return uses
        # Sorted: two upserters that touch the same rows in different orders deadlock.
        rows = [ImageUse(cluster=cluster, **dict(zip(_USE, key, strict=True))) for key in sorted(found)]
        ImageUse.objects.bulk_create(rows, ignore_conflicts=True)
        an_hour_ago = ExpressionWrapper(Now() - USE_WRITTEN_EVERY, output_field=DateTimeField())
        theirs = ImageUse.objects.filter(mapping_id__in=ids.values(), cluster=cluster)
        older = theirs.filter(last_seen_at__lt=an_hour_ago)
        seen = [pk for pk, *key in older.order_by("pk").values_list("pk", *_USE) if tuple(key) in found]
        ImageUse.objects.filter(pk__in=seen).update(last_seen_at=Now())
        ImageMapping.objects.filter(id__in=ids.values(), last_seen_at__lt=an_hour_ago).update(last_seen_at=Now())
    return {use for use in uses if use.source not in ids}


_USE = ("mapping_id", "namespace", "workload_kind", "workload")


def record_decisions(*, counts: Mapping[DecisionKey, int], cluster: str = DEFAULT_CLUSTER) -> None:
    """Add to the hourly counts of a cluster's decisions, in a fixed number of statements: look-ups wait behind them."""
    with transaction.atomic():
        rows = [DecisionCount(cluster=cluster, **key._asdict()) for key in sorted(counts)]
        DecisionCount.objects.bulk_create(rows, ignore_conflicts=True)
        alike = {f"{field}__in": {getattr(key, field) for key in counts} for field in ("hour", "namespace", "reason")}
        # Held in the order of their keys: two that update the same rows in different orders deadlock.
        held = DecisionCount.objects.filter(cluster=cluster, **alike).select_for_update().order_by("pk")
        found = held.values_list("pk", *DecisionKey._fields)
        added = {pk: counts[key] for pk, *fields in found if (key := DecisionKey(*fields)) in counts}
        cases = [When(pk=pk, then=Value(images)) for pk, images in added.items()]
        more = Case(*cases, default=Value(0), output_field=BigIntegerField())
        DecisionCount.objects.filter(pk__in=added).update(images=F("images") + more)


class TargetAnswer(NamedTuple):
    """The result of the target for one image, and when it was checked (``time.monotonic()``). ``access`` is how its
    source was seen to be readable meanwhile, or empty."""

    target: str
    existence: str
    digest: str
    asked_at: float
    access: str = ""


def record_existence(*, target_registry_id: int, answers: Mapping[str, TargetAnswer]) -> None:
    """Note what the target said, by source; other webhooks see it within 2 s. An image that is there and has no
    mapping gets one: the database was lost, or somebody else has put it there.

    Results of a copy after the check are newer, and are kept.

    A digest that is not the one that was written, with no copy under way that could explain it, is an obstacle until
    the image is copied again; an image that was deleted from the target blocks nothing.
    """
    with transaction.atomic():
        _insert_missing(target_registry_id, answers)
        # Held against a copy that ends just now.
        held = ImageMapping.objects.filter(target_registry_id=target_registry_id, source__in=answers)
        # Of the job only its state is needed: nothing locks it, and it is read after the mapping's lock.
        rows = list(held.select_for_update().annotate(now=Now()).order_by("pk"))
        live = set(MirrorJob.objects.live().filter(mapping__in=rows).values_list("mapping_id", flat=True))
        older = [row for row in rows if _take(row, answers[row.source], is_copied=row.pk in live)]
        ImageMapping.objects.bulk_update(older, _TAKEN)


_TAKEN = ("existence", "verified_at", "obstacle", "access", "target_digest", "changed_at")


def _take(row: ImageMapping, answer: TargetAnswer, *, is_copied: bool) -> bool:
    """Take one answer over into its row; false where the row knows something newer."""
    now: datetime = row.now  # type: ignore[attr-defined]
    asked = now - timedelta(seconds=max(0.0, time.monotonic() - answer.asked_at))
    if row.verified_at is not None and row.verified_at >= asked:
        return False
    row.existence, row.verified_at, row.changed_at = answer.existence, asked, Now()
    if answer.existence == Existence.ABSENT:
        row.obstacle = Obstacle.NONE
        return True
    if answer.access and row.access == Access.UNKNOWN:
        row.access = answer.access
    if answer.existence == Existence.PRESENT and answer.digest:
        _compare(row, answer.digest, is_copied=is_copied)
    return True


def _insert_missing(registry_id: int, answers: Mapping[str, TargetAnswer]) -> None:
    present = {source: answer.target for source, answer in answers.items() if answer.existence == Existence.PRESENT}
    known = ImageMapping.objects.filter(target_registry_id=registry_id, source__in=present)
    missing = present.keys() - set(known.values_list("source", flat=True))
    # A target name that another source owns stays that source's.
    ImageMapping.objects.bulk_create(
        [ImageMapping(target_registry_id=registry_id, source=s, target=present[s]) for s in sorted(missing)],
        ignore_conflicts=True,
    )


def _compare(row: ImageMapping, digest: str, *, is_copied: bool) -> None:
    row.target_digest = row.target_digest or digest
    if row.target_digest == digest:
        row.obstacle = without_tampering(row.obstacle)
    elif not row.obstacle and is_tampered(written=row.target_digest, found=digest, is_copied=is_copied):
        row.obstacle = Obstacle.TAMPERED
        log.error(
            "The image at the target was changed after it was written; pods are not swapped to it. Find out who "
            "pushed it, then mirror the image again: manage.py mirror IMAGE",
            image=row.source,
            digest=digest,
        )
