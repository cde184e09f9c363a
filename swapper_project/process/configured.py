"""Loads the configuration file for processes and commands, with overrides by flags, or exits with a clear message."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

from django.conf import settings

from swapper_project import config as configuration
from swapper_project.config import Config, ConfigError, ConfigSource
from swapper_project.process import logs
from swapper_project.process.environment import Environment

MISSING = (
    "No configuration file: name one with --config FILE (or SWAPPER_CONFIG), or put .k8s-image-swapper.yaml "
    "into your home directory or the working directory."
)


def load(environment: Environment, overrides: Mapping[str, object] | None = None) -> Config:
    """Return the configuration, or exit with status 2 and print all problems to standard error."""
    path = configuration.find(str(environment.config) if environment.config else None)
    if path is None:
        stop(MISSING)
    try:
        return configuration.load(path, overrides if overrides is not None else environment.config_overrides)
    except ConfigError as error:
        stop(str(error))


def source() -> ConfigSource | None:
    """Return the configuration of the web process after a check for changes of its file; None if there is no usable
    configuration file."""
    environment: Environment = settings.ENVIRONMENT
    path = configuration.find(str(environment.config) if environment.config else None)
    try:
        config_source = _source_at(path) if path else None
    except ConfigError:
        return None
    if config_source is not None and config_source.poll():
        logs.configure(config_source.current.log_level, config_source.current.log_format)
    return config_source


@lru_cache(maxsize=1)
def _source_at(path: Path) -> ConfigSource:
    return ConfigSource(path, settings.ENVIRONMENT.config_overrides)


def stop(message: str) -> NoReturn:
    """Exit with status 2 and a message about the problem to fix first."""
    print(message, file=sys.stderr)
    raise SystemExit(2)
