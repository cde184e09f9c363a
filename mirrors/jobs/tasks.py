"""The one task of the queue, and what each worker process keeps for it."""

from __future__ import annotations

import os
import threading
import time

import structlog
from django.conf import settings

from mirrors.jobs import stopping
from mirrors.jobs.copier import Copier
from mirrors.jobs.drain import Drain
from mirrors.jobs.timing import timing
from swapper_project import config as configuration
from swapper_project import configured
from swapper_project.config import ConfigSource

log = structlog.get_logger(__name__)

_copier: Copier | None = None


def drain() -> str:
    """Run what is due in this worker process. Without arguments: a wake-up carries nothing."""
    global _copier
    if _copier is None:
        _copier = Copier(config_source())
        threading.Thread(target=_leave_in_time, name="stop", daemon=True).start()
    return Drain(_copier, stop=stopping.is_requested).run()


def config_source() -> ConfigSource:
    """The configuration file as this process was told of it. Raises ConfigError."""
    environment = settings.ENVIRONMENT
    path = configuration.find(str(environment.config) if environment.config else None)
    if path is None:
        raise configuration.ConfigError([configured.MISSING])
    return ConfigSource(path, environment.config_overrides)


def _leave_in_time() -> None:
    """After a stop, end this process even where a registry holds one of its threads."""
    while not stopping.is_requested():
        time.sleep(0.5)
    time.sleep(timing().stop_within)
    log.warning("A copy did not stop in time; its worker process ends without it")
    os._exit(0)
