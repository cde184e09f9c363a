"""The webhook's own gunicorn settings, without its start and end."""

from __future__ import annotations

from swapper_project.gunicorn_conf import *  # noqa: F403


def post_worker_init(worker: object) -> None:  # type: ignore[no-redef]
    """Nothing to load."""


def worker_exit(server: object, worker: object) -> None:  # type: ignore[no-redef]
    """Nothing to write."""
