"""The shared code of `up`, `webhook` and `web`: flags and environments of these roles, and the start of gunicorn."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from swapper_project.config import Config
from swapper_project.process import environment as env
from swapper_project.process.commands import command_line
from swapper_project.process.configured import load, stop
from swapper_project.process.environment import Environment
from swapper_project.process.private_files.certificates import CertificateError, ReloadingContext, ensure_self_signed
from swapper_project.process.supervisor import MANAGE, gunicorn


@dataclass(frozen=True, slots=True)
class ServedRole:
    """A command that becomes gunicorn: its flags, and a function that converts them to environment variables."""

    add_flags: Callable[[argparse.ArgumentParser], None]
    environment: Callable[[Mapping[str, Any]], dict[str, str]]


KEYS_BY_FLAG: Final = {
    "dry_run": "dryRun",
    "log_level": "logLevel",
    "log_format": "logFormat",
    "listen_address": "listenAddress",
    "tls_cert_file": "tlsCertFile",
    "tls_key_file": "tlsKeyFile",
    "image_swap_policy": "imageSwapPolicy",
    "image_copy_policy": "imageCopyPolicy",
    "image_copy_deadline": "imageCopyDeadline",
}
"""The keys of the configuration file that flags override, by the option's name in Python."""


def add_configuration_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that override the configuration file, and ``--no-tls``."""
    parser.add_argument("--dry-run", nargs="?", const=True, type=_boolean, help="decide, but change nothing")
    parser.add_argument("--log-level", help="trace, debug, info, warn, error (default: info)")
    parser.add_argument("--log-format", help="json or console (default: json)")
    parser.add_argument("--listen-address", help="listen address of the webhook (default: :8443)")
    parser.add_argument("--tls-cert-file", help="the webhook's certificate; default: a self-signed one")
    parser.add_argument("--tls-key-file", help="the certificate's key")
    parser.add_argument("--image-swap-policy", help="always or exists (default: exists)")
    parser.add_argument("--image-copy-policy", help="delayed, immediate, force or none (default: delayed)")
    parser.add_argument("--image-copy-deadline", help="how long a review may wait for copies (default: 8s)")
    parser.add_argument("--no-tls", action="store_true", help="serve the webhook over plain HTTP")


def overrides_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of the configuration file that flags override, with their values."""
    return {key: options[flag] for flag, key in KEYS_BY_FLAG.items() if options[flag] is not None}


def webhook_environment(config: Config, data_dir: Path, *, no_tls: bool) -> dict[str, str]:
    """Return the variables for role, address and certificate of the webhook.

    Creates a self-signed pair if the configuration has no certificate. Exits the process if the pair cannot be used or
    the directory is not writable.
    """
    host, _, port = config.listen_address.rpartition(":")
    environment = {"SWAPPER_ROLE": "webhook", "SWAPPER_BIND": f"{host}:{port}"}
    if no_tls:
        return environment | {"SWAPPER_TLS_CERT_FILE": "", "SWAPPER_TLS_KEY_FILE": ""}
    try:
        cert, key = _pair(config, data_dir, host)
        ReloadingContext(str(cert), str(key))  # Raises CertificateError if the pair cannot be used.
    except OSError as error:
        stop(command_line.explain_write(error, str(data_dir)))
    except CertificateError as error:
        stop(f"{error}. Correct tlsCertFile and tlsKeyFile, or leave both out for a self-signed pair.")
    return environment | {"SWAPPER_TLS_CERT_FILE": str(cert), "SWAPPER_TLS_KEY_FILE": str(key)}


def add_web_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen-address", help="listen address: HOST:PORT, or :PORT for all addresses (default: 127.0.0.1:8000)"
    )


def environment_of_webhook(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment of a webhook with these flags. Flags override variables, which override the file."""
    process_env = _environment()
    overrides = {**process_env.config_overrides, **_from_variables(process_env), **overrides_of(options)}
    config = load(process_env, overrides)
    environment = webhook_environment(config, process_env.data_dir, no_tls=options["no_tls"])
    return {**environment, "SWAPPER_CONFIG_OVERRIDES": as_json(overrides)}


def environment_of_web(options: Mapping[str, Any]) -> dict[str, str]:
    process_env = _environment()
    load(process_env)  # Reports configuration errors: gunicorn would only report that its worker failed to boot.
    return {"SWAPPER_ROLE": "web", "SWAPPER_BIND": options["listen_address"] or process_env.bind}


SERVED_ROLES: Final[Mapping[str, ServedRole]] = {
    "webhook": ServedRole(add_configuration_flags, environment_of_webhook),
    "web": ServedRole(add_web_flags, environment_of_web),
}
"""The commands that become gunicorn, by role."""


def run_gunicorn_in_process(role: str, arguments: Sequence[str]) -> None:
    """Run gunicorn in this process, without setting up Django here: gunicorn's worker does, and a second setup would
    take a second."""
    parser = argparse.ArgumentParser(prog=f"manage.py {role}")
    SERVED_ROLES[role].add_flags(parser)
    os.environ |= _without_files(SERVED_ROLES[role].environment(vars(parser.parse_args(arguments))))
    os.chdir(MANAGE.parent)
    sys.argv = gunicorn()[2:]
    from gunicorn.app.wsgiapp import run

    run()


def serve(role: str, options: Mapping[str, Any]) -> NoReturn:
    """Replace this process, which has already set up Django, by gunicorn."""
    environment = _without_files(SERVED_ROLES[role].environment(options))
    os.chdir(MANAGE.parent)
    command = gunicorn()
    os.execve(command[0], command, {**os.environ, **environment})  # noqa: S606


def _without_files(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Remove the ``_FILE`` variables of variables that are passed by value, because both at once are rejected."""
    for name in environment:
        os.environ.pop(f"{name}_FILE", None)
    return environment


def _environment() -> Environment:
    try:
        return env.read()
    except env.EnvironmentProblem as problem:
        stop(str(problem))


def _from_variables(process_env: Environment) -> dict[str, str]:
    variables = {
        "listenAddress": process_env.bind,
        "tlsCertFile": os.environ.get("SWAPPER_TLS_CERT_FILE", ""),
        "tlsKeyFile": os.environ.get("SWAPPER_TLS_KEY_FILE", ""),
    }
    return {key: value for key, value in variables.items() if value}


def as_json(overrides: Mapping[str, object]) -> str:
    """Return the value of ``SWAPPER_CONFIG_OVERRIDES``."""
    return json.dumps(dict(overrides))


def _pair(config: Config, data_dir: Path, host: str) -> tuple[Path, Path]:
    if config.tls_cert_file and config.tls_key_file:
        return Path(config.tls_cert_file).absolute(), Path(config.tls_key_file).absolute()
    names = list(dict.fromkeys(["localhost", "127.0.0.1", "::1", *_names_of(host)]))
    return ensure_self_signed(data_dir, names=names)


def _names_of(host: str) -> list[str]:
    """Return the names that clients use for the listen address; none if the webhook listens on all addresses."""
    name = host.removeprefix("[").removesuffix("]")
    return [] if name in {"", "::", "0.0.0.0"} else [name]  # noqa: S104


def _boolean(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() == "true"
