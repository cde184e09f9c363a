"""The admin: every row registered and searchable, pages that show one whole, and acts that are asked about first."""

from mirrors.admin import (
    configured,
    history,
    jobs,
    log_ins,
    mappings,
    observed,
    registries,
    repositories,
    tokens,
    users,
)

__all__ = [
    "configured",
    "history",
    "jobs",
    "log_ins",
    "mappings",
    "observed",
    "registries",
    "repositories",
    "tokens",
    "users",
]
