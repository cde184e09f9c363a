"""``manage.py webhook``: the admission webhook in this process."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management import CommandParser

from mirrors.management.serving import add_configuration_flags, as_json, overrides_of, serve, webhook_environment
from swapper_project.process import configured
from swapper_project.process.base_command import ConfiguredCommand


class Command(ConfiguredCommand):
    help = "Serve the admission webhook until SIGTERM. It waits for no database."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_configuration_flags(parser)

    def handle(self, *, no_tls: bool, **options: Any) -> None:
        given = settings.ENVIRONMENT
        overrides = {**given.config_overrides, **_from_environment(), **overrides_of(options)}
        config = configured.load(given, overrides)
        environment = webhook_environment(config, given.data_dir, no_tls=no_tls)
        serve({**environment, "SWAPPER_CONFIG_OVERRIDES": as_json(overrides)})


def _from_environment() -> dict[str, str]:
    """Address and certificate as variables give them: they win over the file, and flags over them."""
    variables = {
        "listenAddress": settings.ENVIRONMENT.bind,
        "tlsCertFile": os.environ.get("SWAPPER_TLS_CERT_FILE", ""),
        "tlsKeyFile": os.environ.get("SWAPPER_TLS_KEY_FILE", ""),
    }
    return {key: value for key, value in variables.items() if value}
