"""The one task of the queue, and the state that each worker process keeps between its runs."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType
from typing import Any

import structlog
from django.conf import settings

from mirrors.jobs.context.worker_context import WorkerContext
from mirrors.jobs.process import stopping
from mirrors.jobs.process.drain import Drain
from mirrors.jobs.timing import timing
from mirrors.jobs.upkeep.existence_refresh import ExistenceRefresh
from swapper_project import config as configuration
from swapper_project.config import ConfigSource
from swapper_project.process import configured

log = structlog.get_logger(__name__)

_context: WorkerContext | None = None
_is_draining = False

ACKNOWLEDGED_WITHIN = 1.0
"""Seconds that an exiting process waits until its last wake-up is acknowledged; without that, the wake-up is repeated
later."""


def drain() -> str:
    """Run the due jobs in this worker process, and return a summary."""
    global _context, _is_draining
    if _context is None:
        _context = WorkerContext(config_source())
        ExistenceRefresh(_context).start()
        threading.Thread(target=_exit_after_stop, name="stop", daemon=True).start()
    _is_draining = True
    try:
        return Drain(_context, stop=stopping.is_requested).run()
    finally:
        _is_draining = False


def config_source() -> ConfigSource:
    """Return the source of this process's configuration file. Raises ConfigError if no file is configured or found."""
    environment = settings.ENVIRONMENT
    path = configuration.find(str(environment.config) if environment.config else None)
    if path is None:
        raise configuration.ConfigError([configured.MISSING])
    return ConfigSource(path, environment.config_overrides)


def take_signals(**_: Any) -> None:
    """Handle SIGTERM in a new worker process: it hands its jobs back, and then exits."""
    signal.signal(signal.SIGTERM, _handle_sigterm)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


def _handle_sigterm(signum: int, frame: FrameType | None) -> None:
    stopping.request_process_stop()
    if not _is_draining:
        os._exit(0)


def _exit_after_stop() -> None:
    """Exit the process in time after a stop was requested, even if a registry blocks one of its threads."""
    while not stopping.is_requested():
        time.sleep(0.5)
    deadline = time.monotonic() + timing().stop_within
    while time.monotonic() < deadline:
        if stopping.is_process_stopping() and not _is_draining:
            time.sleep(ACKNOWLEDGED_WITHIN)
            os._exit(0)
        time.sleep(0.2)
    log.warning("A copy did not stop in time; the worker process exits anyway")
    os._exit(0)
