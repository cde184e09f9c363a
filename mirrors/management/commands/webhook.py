"""``manage.py webhook``: serves the admission webhook in this process.

``manage.py`` normally starts it without this class.
"""

from __future__ import annotations

from typing import Any

from django.core.management import CommandParser

from mirrors.management.serving import add_configuration_flags, serve
from swapper_project.process.commands.base_command import ConfiguredCommand


class Command(ConfiguredCommand):
    help = "Serve the admission webhook until SIGTERM. It does not wait for the database."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_configuration_flags(parser)

    def handle(self, **options: Any) -> None:
        serve("webhook", options)
