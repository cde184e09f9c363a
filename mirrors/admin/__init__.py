"""The admin: every row registered and searchable, with retry and cancel on jobs."""

from mirrors.admin import (
    admissions,
    decisions,
    filters,
    jobs,
    mappings,
    observed,
    registries,
    repositories,
    tokens,
    users,
)

__all__ = [
    "admissions",
    "decisions",
    "filters",
    "jobs",
    "mappings",
    "observed",
    "registries",
    "repositories",
    "tokens",
    "users",
]
