"""Records of webhook processes, written in batches: uses, decisions, results of checks at the target."""

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
"""The time between two writes of when an image was used: pages show it by the hour, and pods restart often."""


class UseKey(NamedTuple):
    """A workload that runs an image, identified by its canonical source, because its mapping may not exist yet."""

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
    """Record that these workloads of a cluster were admitted now. Each row is written at most once an hour. Return the
    uses whose image has no mapping yet."""
    mappings = ImageMapping.objects.filter(target_registry_id=target_registry_id, source__in={u.source for u in uses})
    with transaction.atomic():
        ids = dict(mappings.values_list("source", "id"))
        use_keys = {(ids[use.source], *use[1:]) for use in uses if use.source in ids}
        if not use_keys:
            return uses
        # Sorted, because two transactions that write the same rows in different orders can deadlock.
        rows = [ImageUse(cluster=cluster, **dict(zip(_USE_FIELDS, key, strict=True))) for key in sorted(use_keys)]
        ImageUse.objects.bulk_create(rows, ignore_conflicts=True)
        an_hour_ago = ExpressionWrapper(Now() - USE_WRITTEN_EVERY, output_field=DateTimeField())
        cluster_uses = ImageUse.objects.filter(mapping_id__in=ids.values(), cluster=cluster)
        due_uses = cluster_uses.filter(last_seen_at__lt=an_hour_ago)
        due_ids = [pk for pk, *key in due_uses.order_by("pk").values_list("pk", *_USE_FIELDS) if tuple(key) in use_keys]
        ImageUse.objects.filter(pk__in=due_ids).update(last_seen_at=Now())
        ImageMapping.objects.filter(id__in=ids.values(), last_seen_at__lt=an_hour_ago).update(last_seen_at=Now())
    return {use for use in uses if use.source not in ids}


_USE_FIELDS = ("mapping_id", "namespace", "workload_kind", "workload")


def record_decisions(*, counts: Mapping[DecisionKey, int], cluster: str = DEFAULT_CLUSTER) -> None:
    """Add to the hourly counts of a cluster's decisions, in a fixed number of statements, because lookups of the
    webhook wait for them."""
    with transaction.atomic():
        rows = [DecisionCount(cluster=cluster, **key._asdict()) for key in sorted(counts)]
        DecisionCount.objects.bulk_create(rows, ignore_conflicts=True)
        conditions = {
            f"{field}__in": {getattr(key, field) for key in counts} for field in ("hour", "namespace", "reason")
        }
        # Locked in the order of their keys: two transactions that use different orders can deadlock.
        rows_to_update = DecisionCount.objects.filter(cluster=cluster, **conditions).select_for_update().order_by("pk")
        found = rows_to_update.values_list("pk", *DecisionKey._fields)
        added = {pk: counts[key] for pk, *fields in found if (key := DecisionKey(*fields)) in counts}
        cases = [When(pk=pk, then=Value(images)) for pk, images in added.items()]
        increment = Case(*cases, default=Value(0), output_field=BigIntegerField())
        DecisionCount.objects.filter(pk__in=added).update(images=F("images") + increment)


class TargetAnswer(NamedTuple):
    """The result of a check of the target for one image, and the time of the check (``time.monotonic()``). ``access``
    is the way in which the source was observed to be readable, or empty."""

    target: str
    existence: str
    digest: str
    asked_at: float
    access: str = ""


def record_existence(*, target_registry_id: int, results: Mapping[str, TargetAnswer]) -> None:
    """Record the results of checks at the target, by source. Other webhooks see them within 2 s. An image that the
    target has without a mapping gets one: the database was lost, or another client pushed the image.

    The results of a copy that ended after the check are newer, and are kept.

    A digest that differs from the one that was written, with no running copy that could explain it, is an obstacle
    until the image is copied again. An image that was deleted from the target has no obstacle.
    """
    with transaction.atomic():
        _insert_missing(target_registry_id, results)
        # Lock the rows against a copy that ends at the same time.
        mappings = ImageMapping.objects.filter(target_registry_id=target_registry_id, source__in=results)
        # Only the state of jobs is needed, so they are not locked, and are read after the mappings are locked.
        rows = list(mappings.select_for_update().annotate(now=Now()).order_by("pk"))
        live = set(MirrorJob.objects.live().filter(mapping__in=rows).values_list("mapping_id", flat=True))
        outdated = [row for row in rows if _apply_result(row, results[row.source], is_copied=row.pk in live)]
        ImageMapping.objects.bulk_update(outdated, _RESULT_FIELDS)


_RESULT_FIELDS = ("existence", "verified_at", "obstacle", "access", "target_digest", "changed_at")


def _apply_result(row: ImageMapping, result: TargetAnswer, *, is_copied: bool) -> bool:
    """Copy one result into its row. Return False if the row has a newer result."""
    now: datetime = row.now  # type: ignore[attr-defined]
    checked_at = now - timedelta(seconds=max(0.0, time.monotonic() - result.asked_at))
    if row.verified_at is not None and row.verified_at >= checked_at:
        return False
    row.existence, row.verified_at, row.changed_at = result.existence, checked_at, Now()
    if result.existence == Existence.ABSENT:
        row.obstacle = Obstacle.NONE
        return True
    if result.access and row.access == Access.UNKNOWN:
        row.access = result.access
    if result.existence == Existence.PRESENT and result.digest:
        _compare(row, result.digest, is_copied=is_copied)
    return True


def _insert_missing(registry_id: int, results: Mapping[str, TargetAnswer]) -> None:
    present = {source: result.target for source, result in results.items() if result.existence == Existence.PRESENT}
    known = ImageMapping.objects.filter(target_registry_id=registry_id, source__in=present)
    missing = present.keys() - set(known.values_list("source", flat=True))
    # A target name that belongs to another source stays with that source.
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
