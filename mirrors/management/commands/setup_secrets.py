"""``manage.py setup_secrets``: creates the Secrets of an installation on a cluster, with random values."""

from __future__ import annotations

from typing import Any

from django.core.management import CommandError, CommandParser

from mirrors.installation import generated_secrets
from mirrors.installation.api_refusals import InstallationError
from mirrors.kubernetes.api_server.api_client import ClusterError
from swapper_project.process.commands.base_command import ConfiguredCommand


class Command(ConfiguredCommand):
    help = (
        "Create missing Secrets: secret key and webhook token, the password of the database, the credentials of the "
        "first user. Existing values are never changed, and no value is shown. Safe to run again, and several times "
        "at once."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--namespace", required=True, help="namespace of the Secrets")
        parser.add_argument("--app-secret", required=True, help="Secret with the keys secret-key and webhook-token")
        parser.add_argument("--database-secret", help="Secret with the key password")
        parser.add_argument("--admin-secret", help="Secret with the keys username and password")

    def handle(self, *, namespace: str, **options: Any) -> None:
        requested = [
            (options["app_secret"], generated_secrets.APP),
            (options["database_secret"], generated_secrets.DATABASE_SECRET),
            (options["admin_secret"], generated_secrets.ADMIN),
        ]
        # If several options have the same name, one Secret contains all their keys.
        values_by_name: dict[str, generated_secrets.Values] = {}
        for name, values in requested:
            if name:
                values_by_name[name] = {**values_by_name.get(name, {}), **values}
        problems = [self._ensure(namespace, name, values) for name, values in values_by_name.items()]
        if problems := [problem for problem in problems if problem]:
            raise CommandError("\n".join(problems))

    def _ensure(self, namespace: str, name: str, values: generated_secrets.Values) -> str:
        """Create one Secret. Return the error as text, so that the other Secrets are still created."""
        try:
            is_new = generated_secrets.ensure(namespace, name, values)
        except (InstallationError, ClusterError) as error:
            return str(error)
        self.stdout.write(f"Secret {namespace}/{name} {'created' if is_new else 'exists and was not changed'}")
        return ""
