"""The admin: every row registered and searchable, with retry and cancel on jobs."""

from mirrors.admin import configured, history, jobs, log_ins, mappings, observed, repositories, tokens, users

__all__ = ["configured", "history", "jobs", "log_ins", "mappings", "observed", "repositories", "tokens", "users"]
