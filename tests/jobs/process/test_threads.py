"""Threads on which many copies depend survive any error, and the log of an attempt keeps its end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import pytest
from django.db import connection
from pytest_django import Settings

from mirrors.jobs.context.database_mounts import DatabaseMounts
from mirrors.jobs.copy.attempt_log import MAX_LOG, Attempt
from mirrors.jobs.copy.failures import Failure
from mirrors.jobs.queue.heartbeat import Heartbeat, LeaseStatus
from mirrors.models import BlobLocation, MirrorAttempt, MirrorJob
from mirrors.oci import CopyCancelledError
from tests.jobs.support import queue_copy, take, target_row
from tests.support.ports import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

DIGEST = "sha256:" + "a" * 64


class Unforeseen:
    """A value for a column that cannot be written, with an error that does not come from the database."""

    def __str__(self) -> str:
        raise RuntimeError("nobody thought of this")


@pytest.fixture
def heartbeat() -> Iterator[Heartbeat]:
    beating = Heartbeat()
    beating.start()
    yield beating
    beating.stop()


def test_a_heartbeat_continues_after_an_unexpected_error(
    heartbeat: Heartbeat, settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    """A lease longer than any clock can represent makes a beat fail. The next beat has a normal one."""
    queue_copy("app:1")
    held = take()
    before = settings.JOB_TIMING
    settings.JOB_TIMING = {**before, "lease": 1e300}
    heartbeat.add(held)
    job = MirrorJob.objects.get(pk=held.job_id)
    wait_until(lambda: "OverflowError" in capfd.readouterr().err, what="a beat that fails")
    settings.JOB_TIMING = before
    renewed = MirrorJob.objects.filter(pk=job.pk).exclude(lease_expires_at=job.lease_expires_at)
    wait_until(renewed.exists, what="a beat after the failed ones")


def test_a_copy_waits_until_its_lease_is_renewed() -> None:
    status, was_held = LeaseStatus(), time.monotonic() - 100
    status.renewed_at = was_held
    with ThreadPoolExecutor(1) as copies:
        waiting = copies.submit(status.wait_until_renewed, lambda: False)
        assert not wait([waiting], timeout=0.2).done
        status.renewed_at = time.monotonic()
        waiting.result(timeout=30)
    status.renewed_at = was_held
    with pytest.raises(CopyCancelledError):
        status.wait_until_renewed(lambda: True)
    assert not status.is_lost


def test_a_failed_blob_lookup_returns_nothing_and_the_next_one_succeeds() -> None:
    registry = target_row()
    BlobLocation.objects.create(registry=registry, digest=DIGEST, repository="app")
    mounts = DatabaseMounts()
    try:
        (find,) = mounts.start_find(registry.endpoint, [Unforeseen()], None)  # type: ignore[list-item]
        assert find() == []
        mounts.record(registry.endpoint, "no surrogate \udc80", "app")
        (find,) = mounts.start_find(registry.endpoint, [DIGEST], None)
        assert find() == ["app"]
    finally:
        mounts.close()
        connection.close()


@pytest.mark.parametrize("parts", [1, 7, 400])
def test_a_long_log_is_truncated_in_the_middle(parts: int) -> None:
    queue_copy("app:1")
    attempt = Attempt(take())
    attempt.log_line("the beginning")
    for number in range(parts):
        attempt.log_line(f"{number} " + "x" * (4 * MAX_LOG // parts))
    report = attempt.report(Failure("internal", "what happened", permanent=False, details="Traceback\nthe very end"))
    assert "the beginning" in report.log and report.log.rstrip().endswith("the very end")
    assert "characters are omitted" in report.log and len(report.log) < MAX_LOG + 200


def test_a_short_log_is_not_truncated() -> None:
    queue_copy("app:1")
    attempt = Attempt(take())
    attempt.log_line("one")
    assert [line.split(" ", 1)[1] for line in attempt.report(last_line="two").log.splitlines()] == ["one", "two"]


def test_invalid_characters_are_replaced_and_long_text_is_truncated() -> None:
    queue_copy("app:1")
    attempt = Attempt(take())
    attempt.log_line("a NUL \x00 and half a surrogate \udc80 pair")
    assert "a NUL \N{REPLACEMENT CHARACTER} and" in MirrorAttempt.objects.get().log
    report = attempt.report(Failure("invalid", "bad \x00" * 9_000, permanent=True, host="h" * 900))
    assert "\x00" not in report.error and len(report.error) <= 5_000 and len(report.error_host) == 260
