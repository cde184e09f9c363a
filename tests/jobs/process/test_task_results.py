"""Results of tasks that django-q2 saves while the database does not respond."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.monitor import save_task
from structlog.testing import capture_logs

from swapper_project.process import outage_log

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def outages() -> Iterator[None]:
    """Reset the outage log before and after the test."""
    outage_log.record_success()
    yield
    outage_log.record_success()


def save(error: Exception) -> None:
    def fail(*query: Any) -> None:
        raise error

    now = timezone.now()
    task = {"id": uuid.uuid4().hex, "name": "wake-up", "func": "tasks.drain", "args": (), "kwargs": {}}
    with connection.execute_wrapper(fail):
        save_task({**task, "started": now, "stopped": now, "result": "", "success": True, "sync": True}, get_broker())


def test_an_outage_is_logged_once_without_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with capture_logs() as lines:
        for _ in range(2):
            save(OperationalError("connection refused"))
    assert [line["event"] for line in lines] == ["The database does not respond; trying again"]
    assert [record for record in caplog.records if record.name == "django-q"] == []


def test_any_other_error_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    save(ValueError("a fault of the program"))
    (record,) = [record for record in caplog.records if record.name == "django-q"]
    assert record.getMessage() == "Could not save task result" and record.exc_info
