"""``manage.py web``: serves admin and API in this process. ``manage.py`` normally starts it without this class."""

from __future__ import annotations

from typing import Any

from django.core.management import CommandParser

from mirrors.management.serving import add_web_flags, serve
from swapper_project.process.commands.base_command import ConfiguredCommand


class Command(ConfiguredCommand):
    help = "Serve the web pages and the API over HTTP until SIGTERM. Run `prepare` first."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_web_flags(parser)

    def handle(self, **options: Any) -> None:
        serve("web", options)
