"""``manage.py webhook_certs``: creates and renews the webhook's certificate, and has API servers trust it."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any, Final

from django.core.management import CommandError, CommandParser

from mirrors.installation import stored_secrets
from mirrors.installation.api_refusals import InstallationError
from mirrors.installation.registration import Registration
from mirrors.installation.renewal import Renewal
from mirrors.installation.rotation import CertificatePolicy
from mirrors.kubernetes.api_server.api_client import ClusterError
from swapper_project.process.commands.base_command import ConfiguredCommand

PATH_SEGMENT: Final = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


class Command(ConfiguredCommand):
    help = (
        "Create the webhook's certificate if it does not exist, renew it before it expires, and write its authority "
        "to caBundle. Nothing else in the webhook configuration is changed. Run it each day; it can be interrupted."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--namespace", required=True, help="namespace of the Secret and the Service")
        parser.add_argument("--secret", required=True, help="Secret with the certificates")
        parser.add_argument(
            "--service", required=True, help="the webhook's Service, for which the certificate is issued"
        )
        parser.add_argument("--webhook-configuration", required=True, help="the MutatingWebhookConfiguration")
        parser.add_argument("--cluster-suffix", default="cluster.local", help="default: cluster.local")
        parser.add_argument("--token-secret", help="Secret whose key webhook-token is added to the webhook's path")
        parser.add_argument(
            "--validity-days", type=int, default=365, help="validity of a certificate in days; default: 365"
        )
        parser.add_argument(
            "--renew-before-days",
            type=int,
            default=60,
            help="days before expiry at which a certificate is renewed; default: 60",
        )
        parser.add_argument(
            "--old-authority-hours",
            type=int,
            default=24,
            help="hours for which an old authority stays trusted; default: 24",
        )
        parser.add_argument(
            "--wait-seconds",
            type=float,
            default=60,
            help="seconds to wait for a missing webhook configuration; default: 60",
        )
        parser.add_argument(
            "--rotate-authority", action="store_true", help="replace the authority now, if its key has leaked"
        )

    def handle(self, *, namespace: str, secret: str, **options: Any) -> None:
        policy = _policy(namespace, options)
        try:
            token = _token(namespace, options["token_secret"])
            registration = Registration(options["webhook_configuration"], token, options["wait_seconds"])
            for line in Renewal(namespace, secret, registration, policy).run():
                self.stdout.write(line)
        except (InstallationError, ClusterError) as error:
            raise CommandError(str(error)) from None


def _policy(namespace: str, options: dict[str, Any]) -> CertificatePolicy:
    service, suffix = options["service"], options["cluster_suffix"].strip(".")
    validity, renew_before = options["validity_days"], options["renew_before_days"]
    if not 0 <= renew_before < validity:
        raise CommandError("--renew-before-days must be 0 or more, and less than --validity-days.")
    in_namespace = f"{service}.{namespace}"
    return CertificatePolicy(
        names=(service, in_namespace, f"{in_namespace}.svc", f"{in_namespace}.svc.{suffix}"),
        validity=dt.timedelta(days=validity),
        renew_before=dt.timedelta(days=renew_before),
        keep_old_authority=dt.timedelta(hours=options["old_authority_hours"]),
        is_rotation_forced=options["rotate_authority"],
    )


def _token(namespace: str, secret: str | None) -> str:
    if not secret:
        return ""
    stored = stored_secrets.read(namespace, secret)
    token = stored.values.get("webhook-token", b"").decode(errors="replace").strip() if stored else ""
    if not token:
        raise InstallationError(
            f"Secret {namespace}/{secret} has no webhook-token: create it with setup_secrets, or omit --token-secret."
        )
    if not PATH_SEGMENT.fullmatch(token):
        raise InstallationError(
            f"webhook-token of Secret {namespace}/{secret} cannot be in the path of a Service: Kubernetes allows only "
            "a-z, 0-9 and -. Replace it, for instance with the output of `openssl rand -hex 32`; restart the webhook."
        )
    return token
