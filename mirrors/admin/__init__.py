"""The admin: every row registered and searchable, detail pages, and actions that are confirmed first.

``tools`` is how lists and pages work; the other folders are the pages, and import nothing of each other. Begin in
``images/mappings.py``.
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
