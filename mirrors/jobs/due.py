"""Which jobs may be claimed now, in which order, and when the next one may."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django.db.models import Case, Count, IntegerField, Min, QuerySet, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from mirrors.jobs import hosts, outage
from mirrors.models import JobStatus, MirrorJob
from mirrors.models.mirror_job import MirrorJobQuerySet


def ready() -> MirrorJobQuerySet:
    """Jobs whose time has come, and those that their workers have abandoned."""
    return MirrorJob.objects.due(abandoned=not outage.is_recent())


def claimable(only: Collection[int] | None = None) -> QuerySet[MirrorJob]:
    """Due jobs, of ``only`` these if given, that no resting host stands in the way of."""
    due = ready()
    if only is not None:
        due = due.filter(pk__in=only)
    away = list(hosts.resting())
    return due.exclude(pk__in=due.filter(hosts.touches(away)).values("pk")) if away else due


def order_of_claims() -> list[str | Combinable]:
    """By priority, then the namespace with the fewest running copies, then age.

    The copies are counted beside the claim, not in it: fairness may lag, the fence may not.
    """
    running = MirrorJob.objects.filter(status=JobStatus.RUNNING).order_by().values_list("namespace")
    whens = [When(namespace=namespace, then=Value(copies)) for namespace, copies in running.annotate(Count("pk"))]
    turn = [Case(*whens, default=Value(0), output_field=IntegerField())] if whens else []
    return ["priority", *turn, "available_at", "id"]


def next_due_at() -> datetime | None:
    """When the next job becomes claimable that is not so now; None: nothing is put off."""
    later = MirrorJob.objects.filter(status=JobStatus.PENDING, available_at__gt=Now())
    times = [later.aggregate(first=Min("available_at"))["first"]]
    rests = hosts.resting()
    if rests and ready().filter(hosts.touches(list(rests))).exists():
        times.append(min(rests.values()))
    return min((at for at in times if at is not None), default=None)
