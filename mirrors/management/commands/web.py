"""``manage.py web``: admin and API in this process."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, CommandParser

from mirrors.management.serving import serve


class Command(BaseCommand):
    help = "Serve the web pages and the API over HTTP until SIGTERM. Run `prepare` first."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--listen-address", help="where it listens: HOST:PORT, or :PORT for all addresses (default: 127.0.0.1:8000)"
        )

    def handle(self, *, listen_address: str | None, **options: Any) -> None:
        serve({"SWAPPER_BIND": listen_address or settings.ENVIRONMENT.bind})
