"""The configuration file as processes and commands load it: found, read, overridden by flags, or a clear stop."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import NoReturn

from swapper_project import config as configuration
from swapper_project.config import Config, ConfigError
from swapper_project.env import Environment

MISSING = (
    "No configuration file: name one with --config FILE (or SWAPPER_CONFIG), or put .k8s-image-swapper.yaml "
    "into your home directory or the working directory."
)


def load(environment: Environment, overrides: Mapping[str, object] | None = None) -> Config:
    """The configuration in force, or an exit with status 2 and every problem on standard error."""
    path = configuration.find(str(environment.config) if environment.config else None)
    if path is None:
        stop(MISSING)
    try:
        return configuration.load(path, overrides if overrides is not None else environment.config_overrides)
    except ConfigError as error:
        stop(str(error))


def stop(message: str) -> NoReturn:
    """End the process: the operator has something to mend first."""
    print(message, file=sys.stderr)
    raise SystemExit(2)
