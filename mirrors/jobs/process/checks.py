"""System checks of the queue's settings. Each of the rejected settings leads to lost or repeated work."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

BROKER = "mirrors.jobs.process.broker.OrderedBroker"


@register("mirrors")
def check_queue(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Return an error for each setting in ``Q_CLUSTER`` that jobs cannot work with."""
    queue: dict[str, Any] = settings.Q_CLUSTER
    demands = [
        (queue.get("broker_class") == BROKER, f"broker_class must be {BROKER}: wake-ups need an order and a due time"),
        (bool(queue.get("workers")), "workers must be set: the default is the number of CPUs of the node"),
        (
            queue.get("queue_limit") == 1,
            "queue_limit must be 1: no other worker can run a wake-up that waits in this queue",
        ),
        (queue.get("bulk") == 1, "bulk must be 1, for the same reason as queue_limit"),
        (
            queue.get("retry", 0) >= 4 * queue.get("timeout", float("inf")),
            "retry must be at least 4 times timeout: it is measured from the time of dequeuing, before the work starts",
        ),
        (
            bool(queue.get("ack_failures")),
            "ack_failures must be true: otherwise a failed wake-up is repeated endlessly",
        ),
        (queue.get("max_attempts") == 1, "max_attempts must be 1: jobs count their own attempts"),
        (queue.get("scheduler") is False, "scheduler must be off: it makes the sentinel depend on the database"),
    ]
    return [
        Error(f"Q_CLUSTER: {demand}.", id=f"mirrors.E{number:03}")
        for number, (is_met, demand) in enumerate(demands, 1)
        if not is_met
    ]
