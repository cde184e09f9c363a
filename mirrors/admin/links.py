"""Links to lists: each number leads to exactly the rows that it counts."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlencode

from django.urls import reverse

from mirrors.models import Registry


def jobs(**query: str) -> str:
    return f"{reverse('admin:mirrors_mirrorjob_changelist')}?{urlencode(query)}"


def attempts(**query: str) -> str:
    return f"{reverse('admin:mirrors_mirrorattempt_changelist')}?{urlencode(query)}"


def admitted_since(since: datetime) -> str:
    """Decisions on images that somebody wants mirrored."""
    query = {"coverage": "admitted", "hour__gte": since.isoformat()}
    return f"{reverse('admin:mirrors_decisioncount_changelist')}?{urlencode(query)}"


def failed_at(registry: Registry, **query: str) -> str:
    """Jobs that failed at a registry, by whichever of its names."""
    found = registry.lookup_of("error_host")
    hosts = {name: value if isinstance(value, str) else ",".join(value) for name, value in found.items()}
    return jobs(status__exact="failed", **hosts, **query)
