"""The tasks that a watcher runs in each turn after it has written the inventory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.core.management import CommandParser

from mirrors.backfill.task import BackfillTask
from mirrors.watcher.inventory import InventoryTask
from mirrors.watcher.kept_images import KeptImages
from mirrors.watcher.pulls.pull_failures import PullFailures
from mirrors.watcher.pulls.restart_loops import RestartLoops
from mirrors.watcher.readiness_task import ReadinessTask
from swapper_project.config import Config


def add_registration_flag(parser: CommandParser) -> None:
    """Add the flag of the commands that start a watcher."""
    parser.add_argument(
        "--webhook-configuration",
        default="k8s-image-swapper",
        metavar="NAME",
        help="the MutatingWebhookConfiguration, which defines the pods that are sent to the webhook",
    )


def tasks_of(config: Callable[[], Config], registration: str) -> Sequence[InventoryTask]:
    """Return the tasks in the order in which they run.

    ``registration`` is the name of the MutatingWebhookConfiguration.
    """
    return [
        PullFailures(config),
        RestartLoops(config),
        KeptImages(config, registration),
        BackfillTask(config),
        ReadinessTask(config),
    ]
