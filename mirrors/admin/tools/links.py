"""Links to lists. The link of a number opens a list of exactly the rows that the number counts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from django.urls import reverse

from mirrors.models import Registry, RegistryRole
from mirrors.models.jobs.job_errors import known_host

HOSTS_IN_URL: Final = 20
"""The maximum number of host names in the URL of a list, such as the names of one registry or the hosts that are not
configured."""


def mappings(**query: str) -> str:
    return _list("imagemapping", query)


def jobs(**query: str) -> str:
    return _list("mirrorjob", query)


def attempts(**query: str) -> str:
    return _list("mirrorattempt", query)


def decisions(since: datetime, **query: str) -> str:
    """Return a link to decisions since a time. ``coverage`` selects the images that a number of the dashboard counts
    (see ``CoverageFilter``), ``filter`` those of one filter, ``cluster`` those of one cluster. Empty values select
    all."""
    given = {name: value for name, value in query.items() if value}
    return _list("decisioncount", given | time_range_from("hour", since))


def of_cluster(model: str, cluster: str, **query: str) -> str:
    """Return a link to a list of rows that clusters report: those of one cluster, or of all if ``cluster`` is empty."""
    return _list(model, query | ({"cluster": cluster} if cluster else {}))


def time_range_from(field: str, at: datetime) -> dict[str, str]:
    """Return the parameters of a list's time range that starts at ``at`` and has no end."""
    return {f"{field}_from_0": f"{at:%Y-%m-%d}", f"{field}_from_1": f"{at:%H:%M:%S}"}


def failed_at(registry: Registry, **query: str) -> str:
    """Return a link to the jobs that failed at a registry, under any of its names."""
    if registry.endpoint.startswith("*."):
        return jobs(status__exact="failed", error_host__endswith=registry.endpoint[1:], **query)
    return jobs(status__exact="failed", error_host=",".join(_folded(registry.names)), **query)


def images_of(registry: Registry) -> str:
    """Return a link to the mappings whose images are read from a source registry, or written to a target registry."""
    if registry.role == RegistryRole.TARGET:
        return _list("imagemapping", {"target_registry__id__exact": str(registry.pk)})
    if registry.endpoint.startswith("*."):
        return _list("imagemapping", {"q": f"{registry.endpoint[1:]}/"})
    return _list("imagemapping", {"source": registry.endpoint})


def _folded(names: Iterable[str]) -> list[str]:
    """Return the normalized hosts without duplicates."""
    return list(dict.fromkeys(known_host(name) for name in names))


def _list(model: str, query: dict[str, str]) -> str:
    link = reverse(f"admin:mirrors_{model}_changelist")
    return f"{link}?{urlencode(query)}" if query else link
