"""``manage.py watch``: reads the running images of the cluster, and records them."""

from __future__ import annotations

import signal
import sys
from typing import Any, Final

from django.conf import settings
from django.core.management import CommandParser

from mirrors.kubernetes.api_server import api_client
from mirrors.management.watcher_tasks import add_registration_flag, tasks_of
from mirrors.watcher import Watcher
from swapper_project.config import ConfigSource
from swapper_project.process import configured, logs
from swapper_project.process.commands.base_command import ConfiguredCommand
from swapper_project.process.monitoring import probe_server
from swapper_project.process.monitoring.process_readiness import Readiness

WATCHER_ADDRESS: Final = "127.0.0.1:8002"
"""The default address of metrics and probes."""

NO_CLUSTER: Final = (
    "There is no cluster to watch: this process does not run in a cluster, and KUBECONFIG is not set. Set KUBECONFIG "
    "to a kubeconfig file for the cluster."
)
SWITCHED_OFF: Final = "watcher.enabled is false in the configuration file: set it to true to watch the cluster."


class Command(ConfiguredCommand):
    help = (
        "Watch the cluster: which images run, in which workloads and on which nodes. One watcher reads a cluster; "
        "others wait until it stops."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_registration_flag(parser)

    def handle(self, *, webhook_configuration: str, **options: Any) -> None:
        config = configured.load(settings.ENVIRONMENT)
        logs.configure(config.log_level, config.log_format)
        if not config.watcher.enabled:
            configured.stop(SWITCHED_OFF)
        if not api_client.is_configured():
            configured.stop(NO_CLUSTER)
        source = configured.source()
        if not isinstance(source, ConfigSource):
            configured.stop(configured.MISSING)
        readiness = Readiness("watcher")
        watcher = Watcher(source, lambda config: tasks_of(config, webhook_configuration), readiness.record)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: watcher.stop())
        probe_server.serve_in_background(settings.ENVIRONMENT.bind or WATCHER_ADDRESS, readiness, readiness.age)
        watcher.run()
        sys.exit(0)
