"""The admin: every row registered and searchable, with retry and cancel on jobs."""

from mirrors.admin import configured, jobs, mappings, observed, registries, repositories, tokens, users

__all__ = ["configured", "jobs", "mappings", "observed", "registries", "repositories", "tokens", "users"]
