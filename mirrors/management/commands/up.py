"""``manage.py up``: runs the whole system on one machine, with one log."""

from __future__ import annotations

import argparse
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.management import CommandParser

from mirrors.kubernetes.api_server import api_client
from mirrors.management.serving import add_configuration_flags, as_json, overrides_of, webhook_environment
from mirrors.management.watcher_tasks import add_registration_flag
from swapper_project import config as configuration
from swapper_project.config import Config
from swapper_project.process import configured, logs
from swapper_project.process.commands import command_line
from swapper_project.process.commands.base_command import ConfiguredCommand
from swapper_project.process.monitoring import listening
from swapper_project.process.private_files.secret_key import ensure_secret_key
from swapper_project.process.supervisor import Program, Supervisor, gunicorn, manage

log = structlog.get_logger(__name__)


class Command(ConfiguredCommand):
    help = (
        "Run the webhook, web (admin), worker, and, if a cluster is configured, watcher processes with their database "
        "on this machine until Ctrl-C."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        add_configuration_flags(parser)
        parser.add_argument(
            "--web-address", default="127.0.0.1:8000", type=_address, help="listen address of the admin"
        )
        parser.add_argument(
            "--metrics-address", default="127.0.0.1:8001", type=_address, help="listen address of the worker's metrics"
        )

        parser.add_argument(
            "--watcher-address",
            default="127.0.0.1:8002",
            type=_address,
            help="listen address of the watcher's metrics; the watcher runs if a cluster is configured (KUBECONFIG)",
        )
        add_registration_flag(parser)

    def handle(self, **options: Any) -> None:
        overrides = overrides_of(options)
        path = configuration.find(_text(settings.ENVIRONMENT.config))
        if path is None:
            configured.stop(configured.MISSING)
        try:
            config = configuration.load(path, overrides)
        except configuration.ConfigError as error:
            configured.stop(str(error))
        logs.configure(config.log_level, config.log_format)
        if config.overridden:
            log.info("Flags override the configuration file", keys=list(config.overridden))
        data_dir = settings.ENVIRONMENT.data_dir.resolve()
        try:
            common = _common_environment(path, overrides, data_dir)
        except OSError as error:
            configured.stop(command_line.explain_write(error, str(data_dir)))
        webhook = webhook_environment(config, data_dir, no_tls=options["no_tls"])
        # The metrics address is not checked: without it the worker still copies, and logs the problem.
        for flag, address in (("--listen-address", webhook["SWAPPER_BIND"]), ("--web-address", options["web_address"])):
            _check_address(address, flag)
        self._prepare(common, data_dir)
        self._print_addresses(config, webhook, options["web_address"], data_dir)
        programs = [
            Program("webhook", gunicorn(), {**common, **webhook}),
            Program("web", gunicorn(), {**common, **_web_environment(options["web_address"])}),
            Program("worker", manage("worker"), {**common, **_worker_environment(options["metrics_address"])}),
        ]
        if config.watcher.enabled and api_client.is_configured():
            watcher = {"SWAPPER_ROLE": "watcher", "SWAPPER_BIND": options["watcher_address"]}
            command = manage("watch", f"--webhook-configuration={options['webhook_configuration']}")
            programs.append(Program("watcher", command, {**common, **watcher}))
        sys.exit(Supervisor(programs).run())

    def _prepare(self, common: dict[str, str], data_dir: Path) -> None:
        password_file = data_dir / "admin-password"
        result = subprocess.run(
            manage("prepare", "--admin-password-file", str(password_file)), env=_with_environ(common), check=False
        )
        if result.returncode:
            sys.exit(result.returncode)

    def _print_addresses(self, config: Config, webhook: dict[str, str], web_address: str, data_dir: Path) -> None:
        scheme = "https" if webhook.get("SWAPPER_TLS_CERT_FILE") else "http"
        host, _, port = webhook["SWAPPER_BIND"].rpartition(":")
        url = f"{scheme}://{host or 'localhost'}:{port}/webhook"
        self.stdout.write(f"webhook    {url}{'' if host else '  (all addresses of this machine)'}")
        password = "as given" if settings.ENVIRONMENT.admin_password else f"in {data_dir / 'admin-password'}"
        self.stdout.write(f"admin      http://{web_address}/  user admin, password {password}")
        name = config.target.name
        self.stdout.write(f"target     {name}")
        if config.dry_run:
            self.stdout.write("dry run    YES: every decision is computed and nothing is swapped or copied.")
            self.stdout.write("           Set dryRun: false in the configuration file (or --dry-run=false) to swap.")
        self.stdout.flush()


def _common_environment(path: Path, overrides: dict[str, Any], data_dir: Path) -> dict[str, str]:
    """Return the environment of all processes. Creates the data directory and the secret key if they are missing."""
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    environment = {
        "SWAPPER_CONFIG": str(path.resolve()),
        "SWAPPER_CONFIG_OVERRIDES": as_json(overrides),
        "SWAPPER_DATA_DIR": str(data_dir),
    }
    if settings.ENVIRONMENT.secret_key is None:
        ensure_secret_key(data_dir)
    return environment


def _check_address(address: str, flag: str) -> None:
    """Exit the process if the address cannot be used, before any program is started."""
    try:
        listening.listen(address).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            port = address.rpartition(":")[2]
            advice = f"Stop the process that uses it (ss -ltnp 'sport = :{port}' shows it), or choose another address"
        else:
            advice = "Choose an address of this machine"
        configured.stop(
            f"Cannot listen on {address}: {os.strerror(error.errno) if error.errno else error}. {advice} with {flag}."
        )


def _worker_environment(address: str) -> dict[str, str]:
    return {"SWAPPER_ROLE": "worker", "SWAPPER_BIND": address}


def _web_environment(address: str) -> dict[str, str]:
    host = address.rpartition(":")[0].strip("[]")
    hosts = [*settings.ENVIRONMENT.allowed_hosts, "*" if host in listening.ALL_ADDRESSES else host]
    return {"SWAPPER_ROLE": "web", "SWAPPER_BIND": address, "SWAPPER_ALLOWED_HOSTS": ",".join(hosts)}


def _with_environ(extra: dict[str, str]) -> dict[str, str]:
    return {**os.environ, **extra}


def _address(text: str) -> str:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65_536 or "/" in host:
        raise argparse.ArgumentTypeError(f"{text!r} is not a valid address and port, such as 127.0.0.1:8000")
    return text


def _text(path: Path | None) -> str | None:
    return str(path) if path else None
