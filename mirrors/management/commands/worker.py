"""``manage.py worker``: runs the cluster of processes that copy images."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings

import mirrors.jobs.process.checks  # noqa: F401  registers the checks that run before this command
from swapper_project.process import configured, logs
from swapper_project.process.commands.base_command import ConfiguredCommand


class Command(ConfiguredCommand):
    help = (
        "Copy the images that were requested. On SIGTERM or SIGINT running copies are handed back to other workers, "
        "and the process exits within 30 seconds."
    )
    requires_system_checks = ["mirrors"]

    def handle(self, **options: Any) -> None:
        config = configured.load(settings.ENVIRONMENT)
        logs.configure(config.log_level, config.log_format)
        # Imported here: django-q2 reads its settings and the apps when it is imported.
        from mirrors.jobs.process.stoppable_cluster import serve

        sys.exit(serve())
