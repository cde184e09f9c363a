"""The base class of this project's management commands: it documents the flags that ``command_line`` parses."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandParser

from swapper_project.process.environment import Environment


class ConfiguredCommand(BaseCommand):
    """A command that lists ``--config`` and ``--data-dir`` in its help."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        add_shared_flags(parser)
        return parser


def add_shared_flags(parser: CommandParser) -> None:
    """Add ``--config`` and ``--data-dir`` to the parser of a command, or of one of its actions."""
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="configuration file; default: SWAPPER_CONFIG, else .k8s-image-swapper.yaml in $HOME, then in the working "
        "directory",
    )
    parser.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIRECTORY",
        help="directory of the SQLite database, keys and certificate; default: SWAPPER_DATA_DIR, else "
        "k8s-image-swapper in $XDG_DATA_HOME or ~/.local/share",
    )


def environment_with(config: Path | None) -> Environment:
    """Return the process environment. ``config`` replaces its configuration file, for a command called from Python."""
    environment: Environment = settings.ENVIRONMENT
    return environment if config is None else dataclasses.replace(environment, config=config)
