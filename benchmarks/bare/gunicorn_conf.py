"""The webhook's gunicorn settings without its startup and shutdown hooks."""

from __future__ import annotations

from swapper_project.gunicorn_conf import *  # noqa: F403


def post_worker_init(worker: object) -> None:  # type: ignore[no-redef]
    """Do nothing, because there is no configuration to load."""


def worker_exit(server: object, worker: object) -> None:  # type: ignore[no-redef]
    """Do nothing, because there is no data to write."""
