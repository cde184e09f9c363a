"""Known images are checked at the target by one process for all, slowly, before webhooks would check them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db.models.functions import Now
from django_q.models import OrmQ
from pytest_django import Settings

from mirrors.jobs.process.reconcile import reconcile
from mirrors.jobs.queue import work_leases
from mirrors.jobs.timing import from_now
from mirrors.jobs.upkeep.existence_refresh import ExistenceRefresh
from mirrors.models import ImageMapping, WorkLease
from tests.jobs.support import FAST, config_file, context, load, target_row
from tests.support.faulty_registry import FaultyRegistry
from tests.support.ports import wait_until

IMAGES = 12
OLD = 500.0
"""Seconds since the last check: more than four fifths of the ten minutes of ``existence.maxAge``."""


@pytest.fixture
def refreshers(
    transactional_db: None, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path, settings: Settings
) -> Iterator[list[ExistenceRefresh]]:
    """The refreshers of two processes. The target permits 400 checks a second, of which a refresh uses 20."""
    settings.JOB_TIMING = {**FAST, "existence_period": 0.3, "existence_lease": 1.5}
    path = config_file(tmp_path, source, target, rateLimits=[{"host": target.host, "heads": 400}])
    with context(path) as first, context(path) as second:
        both = [ExistenceRefresh(first), ExistenceRefresh(second)]
        yield both
        for each in both:
            each.stop()


def mapping(target: FaultyRegistry, number: int, *, age: float = OLD, **fields: object) -> ImageMapping:
    row = ImageMapping.objects.create(
        target_registry=target_row(target.host),
        source=f"quay.io/org/app{number}:1.0",
        target=f"{target.host}/quay.io/org/app{number}:1.0",
        **{"existence": "present", **fields},
    )
    ImageMapping.objects.filter(pk=row.pk).update(verified_at=from_now(-age))
    return row


def test_one_process_checks_each_due_image_once(refreshers: list[ExistenceRefresh], target: FaultyRegistry) -> None:
    for number in range(IMAGES):
        mapping(target, number)
        load(target, f"quay.io/org/app{number}")
    mapping(target, IMAGES)  # deleted from the target
    fresh, unused = mapping(target, 20, age=60), mapping(target, 21, last_seen_at="2020-01-01T00:00:00Z")
    for each in refreshers:
        each.start()

    checked = ImageMapping.objects.filter(verified_at__gt=from_now(-100)).exclude(pk=fresh.pk)
    wait_until(lambda: checked.count() == IMAGES + 1, what="all images that are due")

    assert target.count("HEAD .*") == IMAGES + 1, "by one process, once each"
    assert WorkLease.objects.filter(name=work_leases.EXISTENCE, expires_at__gt=Now()).count() == 1
    assert ImageMapping.objects.get(source__contains=f"app{IMAGES}:").existence == "absent"
    assert not checked.filter(pk=unused.pk).exists()


@pytest.mark.django_db
def test_another_process_takes_over_when_a_lease_has_expired() -> None:
    assert work_leases.hold("existence", "first", 30) and work_leases.hold("existence", "first", 30)
    assert not work_leases.hold("existence", "second", 30)
    WorkLease.objects.update(expires_at=from_now(-1))
    assert work_leases.hold("existence", "second", 30)
    assert not work_leases.hold("existence", "first", 30)


@pytest.mark.django_db
def test_reconcile_wakes_a_process_only_if_the_existence_lease_is_free() -> None:
    reconcile()
    assert not OrmQ.objects.exists()
    ImageMapping.objects.create(target_registry=target_row(), source="quay.io/a:1", target="m/a:1", existence="present")
    work_leases.hold("existence", "somebody", 30)
    reconcile()
    assert not OrmQ.objects.exists()
    work_leases.release_lease("existence", "somebody")
    reconcile()
    assert OrmQ.objects.exists()
