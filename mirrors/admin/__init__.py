"""The admin: every row registered and searchable, detail pages, and actions that are confirmed first."""

from mirrors.admin import (
    activity,
    admissions,
    decisions,
    filters,
    history,
    hosts,
    internals,
    jobs,
    logins,
    mappings,
    processes,
    registries,
    registry_checks,
    repositories,
    tokens,
    users,
)

__all__ = [
    "admissions",
    "decisions",
    "filters",
    "history",
    "hosts",
    "jobs",
    "logins",
    "mappings",
    "processes",
    "activity",
    "registry_checks",
    "internals",
    "registries",
    "repositories",
    "tokens",
    "users",
]
