"""The admin: every row registered and searchable, detail pages, and actions that are confirmed first."""

from mirrors.admin import (
    admissions,
    decisions,
    filters,
    history,
    hosts,
    jobs,
    log_ins,
    mappings,
    observed,
    quick_lists,
    registries,
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
    "log_ins",
    "mappings",
    "observed",
    "quick_lists",
    "registries",
    "repositories",
    "tokens",
    "users",
]

quick_lists.install()
