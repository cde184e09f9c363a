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


def test_many_queued_copies_leave_a_limited_number_of_wakeups() -> None:
    for number in range(50):
        queue_copy(f"app:{number}")
    assert OrmQ.objects.count() == 2 * settings.Q_CLUSTER["workers"]


def test_a_dequeued_wakeup_makes_room_for_a_new_one() -> None:
    for _ in range(10):
        wake_workers()
    broker().dequeue()
    wake_workers()
    assert OrmQ.objects.count() == 5


def test_the_number_of_held_wakeups_is_limited() -> None:
    for seconds in range(50):
        wake_workers(not_before=timezone.now() + timedelta(seconds=60 + seconds))
    assert OrmQ.objects.count() == 2 * settings.Q_CLUSTER["workers"]


def test_an_earlier_wakeup_is_held_in_addition_to_later_ones() -> None:
    for _ in range(10):
        wake_workers(not_before=timezone.now() + timedelta(seconds=600))
    soon = timezone.now() + timedelta(seconds=5)
    wake_workers(not_before=soon)
    assert OrmQ.objects.filter(lock=soon).count() == 1


def test_a_held_wakeup_is_delivered_when_it_is_due() -> None:
    queue = broker()
    wake_workers(not_before=timezone.now() + timedelta(seconds=60))
    assert queue.dequeue() is None
    OrmQ.objects.update(lock=from_now(-1))
    assert queue.dequeue() is not None


def test_wakeups_are_delivered_once_and_in_order() -> None:
    queue = broker()
    numbers = [queue.enqueue(f"payload {number}") for number in range(3)]
    taken = [queue.dequeue() for _ in numbers]
    assert [row[0][0] for row in taken if row] == numbers
    assert queue.dequeue() is None


def test_a_dequeued_wakeup_is_locked_for_more_than_three_task_timeouts() -> None:
    queue = broker()
    queue.enqueue("payload")
    queue.dequeue()
    assert OrmQ.objects.filter(lock__gt=from_now(3 * settings.Q_CLUSTER["timeout"])).exists()


def test_the_queue_settings_pass_the_system_check() -> None:
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
def test_unsafe_queue_settings_are_rejected(settings: Settings, change: dict[str, object]) -> None:
    settings.Q_CLUSTER = settings.Q_CLUSTER | change
    (problem,) = run_checks(tags=["mirrors"])
    assert next(iter(change)) in problem.msg
