"""The one task of the queue, and what each worker process keeps for it."""

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
"""Seconds for which a process that leaves waits until its last wake-up is acknowledged; else it is repeated later."""


def drain() -> str:
    """Run what is due in this worker process. Without arguments: a wake-up carries nothing."""
    global _context, _is_draining
    if _context is None:
        _context = WorkerContext(config_source())
        ExistenceRefresh(_context).start()
        threading.Thread(target=_leave_in_time, name="stop", daemon=True).start()
    _is_draining = True
    try:
        return Drain(_context, stop=stopping.is_requested).run()
    finally:
        _is_draining = False


def config_source() -> ConfigSource:
    """The configuration file as this process was given it. Raises ConfigError."""
    environment = settings.ENVIRONMENT
    path = configuration.find(str(environment.config) if environment.config else None)
    if path is None:
        raise configuration.ConfigError([configured.MISSING])
    return ConfigSource(path, environment.config_overrides)


def take_signals(**_: Any) -> None:
    """In a new worker process: SIGTERM hands its copies back, and then ends it."""
    signal.signal(signal.SIGTERM, _leave)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


def _leave(signum: int, frame: FrameType | None) -> None:
    stopping.leave()
    if not _is_draining:
        os._exit(0)


def _leave_in_time() -> None:
    """After a stop, end this process even where a registry holds one of its threads."""
    while not stopping.is_requested():
        time.sleep(0.5)
    deadline = time.monotonic() + timing().stop_within
    while time.monotonic() < deadline:
        if stopping.is_leaving() and not _is_draining:
            time.sleep(ACKNOWLEDGED_WITHIN)
            os._exit(0)
        time.sleep(0.2)
    log.warning("A copy did not stop in time; its worker process ends without it")
    os._exit(0)
