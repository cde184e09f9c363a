"""Quotas of each namespace of a cluster: new images per hour, and active jobs. They limit users who can create pods,
because these users choose the images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from django.db.models import Count, DateTimeField, ExpressionWrapper
from django.db.models.functions import Now

from mirrors.models import MirrorJob, Trigger
from mirrors.models.jobs.jobs import MirrorJobQuerySet
from mirrors.services.jobs.requested_copy import RequestedCopy
from mirrors.vocabulary.clusters import ClusterNamespace
from swapper_project.config import Quotas

AN_HOUR = timedelta(hours=1)
"""The period of the quota ``newImagesPerHour``."""


def over_quota(registry_id: int, requests: Sequence[RequestedCopy], quotas: Quotas) -> set[str]:
    """Return the sources that need a new job which none of the requesting namespaces may request now."""
    not_limited = {request.source for request in requests if request.trigger != Trigger.ADMISSION}
    requesters: dict[str, set[ClusterNamespace]] = {}
    for request in requests:
        requesters.setdefault(request.source, set()).add(ClusterNamespace(request.cluster, request.namespace))
    live = MirrorJob.objects.live().filter(mapping__target_registry=registry_id, mapping__source__in=requesters)
    not_limited.update(live.values_list("mapping__source", flat=True))
    new = {source: names for source, names in requesters.items() if source not in not_limited}
    return sources_over_quota(sources=new, quotas=quotas) if new else set()


def remaining_jobs(*, namespaces: Collection[ClusterNamespace], quotas: Quotas) -> dict[ClusterNamespace, int]:
    """Return how many new jobs each namespace may still request now, at least 0. Processes that check concurrently can
    together exceed a quota by the requests of each."""
    an_hour_ago = ExpressionWrapper(Now() - AN_HOUR, output_field=DateTimeField())
    jobs = MirrorJob.objects.filter(namespace__in={name.namespace for name in namespaces}).order_by()
    new = _counts(jobs.filter(trigger=Trigger.ADMISSION, created_at__gt=an_hour_ago))
    # Jobs of backfills do not count, so that a backfill does not prevent copies for pods.
    waiting = _counts(jobs.live().exclude(trigger=Trigger.BACKFILL))
    return {
        name: max(0, min(quotas.new_images_per_hour - new.get(name, 0), quotas.pending_jobs - waiting.get(name, 0)))
        for name in namespaces
    }


def sources_over_quota(*, sources: Mapping[str, Collection[ClusterNamespace]], quotas: Quotas) -> set[str]:
    """Return those of ``{source: requesting namespaces}`` that none of their namespaces may request now."""
    remaining = Counter(
        remaining_jobs(namespaces={name for names in sources.values() for name in names}, quotas=quotas)
    )
    over = set()
    for source, names in sorted(sources.items()):
        payer = next((name for name in sorted(names) if remaining[name] > 0), None)
        if payer is None:
            over.add(source)
        else:
            remaining[payer] -= 1
    return over


def _counts(jobs: MirrorJobQuerySet) -> dict[ClusterNamespace, int]:
    rows = jobs.values_list("cluster", "namespace").annotate(jobs=Count("pk"))
    return {ClusterNamespace(cluster, namespace): count for cluster, namespace, count in rows}
