"""Wake-ups: few of them, in order, none before its time, each for one worker."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from django.core.checks import run_checks
from django.utils import timezone
from django_q.brokers import get_broker
from django_q.models import OrmQ
from pytest_django import Settings

import mirrors.jobs.process.checks  # noqa: F401  registers the checks
from mirrors.jobs.process.broker import OrderedBroker
from mirrors.jobs.timing import from_now
from mirrors.services.jobs.wakeup import wake_workers
from tests.jobs.support import queue_copy

pytestmark = pytest.mark.django_db


def broker() -> OrderedBroker:
    configured = get_broker()
    assert isinstance(configured, OrderedBroker)
    return configured


def test_a_thousand_orders_leave_few_wakeups() -> None:
    for number in range(50):
        queue_copy(f"app:{number}")
    assert OrmQ.objects.count() == 2 * settings.Q_CLUSTER["workers"]


def test_wakeups_that_were_taken_make_room() -> None:
    for _ in range(10):
        wake_workers()
    broker().dequeue()
    wake_workers()
    assert OrmQ.objects.count() == 5


def test_held_wakeups_are_few_too() -> None:
    for seconds in range(50):
        wake_workers(not_before=timezone.now() + timedelta(seconds=60 + seconds))
    assert OrmQ.objects.count() == 2 * settings.Q_CLUSTER["workers"]


def test_an_earlier_wakeup_is_held_beside_later_ones() -> None:
    for _ in range(10):
        wake_workers(not_before=timezone.now() + timedelta(seconds=600))
    soon = timezone.now() + timedelta(seconds=5)
    wake_workers(not_before=soon)
    assert OrmQ.objects.filter(lock=soon).count() == 1


def test_a_held_wakeup_is_given_out_when_its_time_has_come() -> None:
    queue = broker()
    wake_workers(not_before=timezone.now() + timedelta(seconds=60))
    assert queue.dequeue() is None
    OrmQ.objects.update(lock=from_now(-1))
    assert queue.dequeue() is not None


def test_wakeups_are_given_out_in_order_and_once() -> None:
    queue = broker()
    numbers = [queue.enqueue(f"payload {number}") for number in range(3)]
    taken = [queue.dequeue() for _ in numbers]
    assert [row[0][0] for row in taken if row] == numbers
    assert queue.dequeue() is None


def test_a_wakeup_in_work_is_locked_for_longer_than_any_task_may_run() -> None:
    queue = broker()
    queue.enqueue("payload")
    queue.dequeue()
    assert OrmQ.objects.filter(lock__gt=from_now(3 * settings.Q_CLUSTER["timeout"])).exists()


def test_the_queues_settings_pass_their_check() -> None:
    assert run_checks(tags=["mirrors"]) == []


@pytest.mark.parametrize(
    "change",
    [
        {"retry": 3 * settings.Q_CLUSTER["timeout"]},
        {"queue_limit": 50},
        {"bulk": 10},
        {"workers": None},
        {"ack_failures": False},
        {"max_attempts": 0},
        {"scheduler": True},
        {"broker_class": "django_q.brokers.orm.ORM"},
    ],
)
def test_settings_that_lose_work_are_refused(settings: Settings, change: dict[str, object]) -> None:
    settings.Q_CLUSTER = settings.Q_CLUSTER | change
    (problem,) = run_checks(tags=["mirrors"])
    assert next(iter(change)) in problem.msg
