"""The action of users on hosts of registries: end a rate limit."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from mirrors.models import ErrorClass, HostBudget, JobStatus, MirrorJob
from mirrors.services.jobs.activity import Subject, record_actions
from mirrors.services.jobs.jobs import batches
from mirrors.services.jobs.wakeup import wake_workers


def resume_hosts(*, host_ids: Collection[int], requested_by: str) -> int:
    """End the rate limits of these hosts and let their queued jobs start. Return how many hosts were rate limited.

    If a host still limits requests, the first rejected request starts the next rate limit.
    """
    resumed = 0
    for ids in batches(host_ids):
        with transaction.atomic():
            limited = HostBudget.objects.limited().filter(pk__in=ids)
            rows = dict(limited.select_for_update().order_by("pk").values_list("pk", "host"))
            HostBudget.objects.filter(pk__in=rows).update(
                resting_until=None, probe_until=None, slowed_until=None, held_until=None, updated_at=Now()
            )
            hosts = sorted(set(rows.values()))
            waiting = MirrorJob.objects.filter(status=JobStatus.PENDING, error_class=ErrorClass.RATE_LIMITED)
            delayed = waiting.filter(Q(source_host__in=hosts) | Q(target_host__in=hosts))
            delayed.filter(available_at__gt=Now()).update(available_at=Now())
            record_actions(actor=requested_by, action="resume", subjects=[Subject(host) for host in hosts])
            if rows:
                wake_workers()
            resumed += len(hosts)
    return resumed
