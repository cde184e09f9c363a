"""The admin. Every model is registered and searchable, rows have detail pages, and actions ask for confirmation.

``tools`` implements how lists and pages work. The other folders contain the pages, and do not import from each other.
Start reading in ``images/mappings.py``.
"""

from mirrors.admin.access import history, logins, tokens, users
from mirrors.admin.clusters import backfills, clusters, pull_failures, readiness, running_images, suspensions
from mirrors.admin.configuration import filters, hosts, internals, processes, registries, registry_checks, repositories
from mirrors.admin.images import activity, admissions, attempts, decisions, jobs, mappings, workloads

__all__ = [
    "activity",
    "admissions",
    "attempts",
    "backfills",
    "clusters",
    "decisions",
    "filters",
    "history",
    "hosts",
    "internals",
    "jobs",
    "logins",
    "mappings",
    "processes",
    "pull_failures",
    "readiness",
    "registries",
    "registry_checks",
    "repositories",
    "running_images",
    "suspensions",
    "tokens",
    "users",
    "workloads",
]
