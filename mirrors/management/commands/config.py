"""``manage.py config check [FILE]``: the errors in a configuration file, or the effective configuration."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from mirrors.kubernetes.objects.yaml_scalars import dump
from swapper_project import config as configuration
from swapper_project.process import configured
from swapper_project.process.commands.base_command import ConfiguredCommand, add_shared_flags


class Command(ConfiguredCommand):
    help = "Check a configuration file and print the effective configuration. Needs no database."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        check = actions.add_parser("check", help="print its problems (exit status 2), or the effective configuration")
        check.add_argument("file", nargs="?", help="the configuration file; overrides --config")
        add_shared_flags(check)

    def handle(self, **options: Any) -> None:
        path = configuration.find(options["file"] or str(settings.ENVIRONMENT.config or ""))
        if path is None:
            configured.stop(configured.MISSING)
        try:
            config = configuration.load(path, check_files=True)
        except configuration.ConfigError as error:
            configured.stop(str(error))
        for warning in config.warnings:
            self.stderr.write(f"warning: {warning}")
        self.stdout.write(dump(config.effective()), ending="")
