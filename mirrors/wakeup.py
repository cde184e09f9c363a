"""Wake-ups for the queue. A wake-up carries nothing: what is due is found in our own rows."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django_q.brokers import get_broker
from django_q.models import OrmQ
from django_q.tasks import async_task

DRAIN = "mirrors.jobs.tasks.drain"


def wake_workers(*, not_before: datetime | None = None) -> None:
    """Queue a wake-up in the caller's transaction, unless enough of them wait already.

    With ``not_before`` (aware) the broker holds it back until then: for a job whose retry is due later.
    """
    broker = get_broker()
    if not_before is None:
        if broker.queue_size() < 2 * settings.Q_CLUSTER["workers"]:
            async_task(DRAIN, broker=broker)
        return
    waiting = OrmQ.objects.filter(key=broker.list_key, lock__gt=not_before).count()
    if waiting < 2 * settings.Q_CLUSTER["workers"]:
        async_task(DRAIN, broker=broker)
        newest = OrmQ.objects.filter(key=broker.list_key).order_by("-id").values_list("id", flat=True).first()
        OrmQ.objects.filter(id=newest).update(lock=not_before)
