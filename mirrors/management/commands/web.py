"""``manage.py web``: admin and API in this process."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import CommandParser

from mirrors.management.serving import serve
from swapper_project.process import configured
from swapper_project.process.base_command import ConfiguredCommand


class Command(ConfiguredCommand):
    help = "Serve the web pages and the API over HTTP until SIGTERM. Run `prepare` first."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--listen-address", help="where it listens: HOST:PORT, or :PORT for all addresses (default: 127.0.0.1:8000)"
        )

    def handle(self, *, listen_address: str | None, **options: Any) -> None:
        # gunicorn would say no more than that its worker failed to boot.
        configured.load(settings.ENVIRONMENT, settings.ENVIRONMENT.config_overrides)
        serve({"SWAPPER_BIND": listen_address or settings.ENVIRONMENT.bind})
