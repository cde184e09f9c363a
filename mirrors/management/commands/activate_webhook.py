"""``manage.py activate_webhook``: under ``failurePolicy: Fail``, send pods to the webhook after it has responded."""

from __future__ import annotations

from typing import Any

from django.core.management import CommandError, CommandParser

from mirrors.installation.activation import Activation
from mirrors.installation.api_refusals import InstallationError
from mirrors.installation.registration import Registration
from mirrors.kubernetes.api_server.api_client import ClusterError
from swapper_project.process.commands.base_command import ConfiguredCommand


class Command(ConfiguredCommand):
    help = (
        "Wait until the webhook responds to a review that is sent as API servers send it; then create the RoleBinding "
        "that the match condition of the webhook configuration requires. Until then, no pod is sent to the webhook, "
        "and none is rejected."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--namespace", required=True, help="namespace of the Role")
        parser.add_argument("--webhook-configuration", required=True, help="the MutatingWebhookConfiguration")
        parser.add_argument("--role", required=True, help="the Role to bind; the RoleBinding has the same name")
        parser.add_argument("--service-account", required=True, help="the name in the match condition")
        parser.add_argument(
            "--wait-seconds", type=float, help="how long to wait for the webhook; default: until it responds"
        )

    def handle(self, *, namespace: str, webhook_configuration: str, role: str, **options: Any) -> None:
        activation = Activation(
            namespace, role, options["service_account"], Registration(webhook_configuration), options["wait_seconds"]
        )
        try:
            for line in activation.run():
                self.stdout.write(line)
                self.stdout.flush()
        except (InstallationError, ClusterError) as error:
            raise CommandError(str(error)) from None
