"""Process settings: ``SWAPPER_*`` environment variables, each with a ``_FILE`` form. No Django in here."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from environs import Env, EnvValidationError, ValidationError

PREFIX = "SWAPPER_"
PROCESS_ROLES = ("webhook", "web", "worker", "watcher", "all")
MAX_VALUE_BYTES = 64 * 1024
"""Bytes of a file that holds the value of a variable; they are a line long."""

# SWAP has no such form: SWAPPER_SWAP_FILE is the kill switch, which is watched and not read once.
_READABLE_FROM_FILES = (
    "DATABASE_URL",
    "SECRET_KEY",
    "ALLOWED_HOSTS",
    "EXTERNAL_URL",
    "ROLE",
    "DATA_DIR",
    "CREDENTIALS_DIR",
    "WEBHOOK_TOKEN",
    "WEBHOOK_TIMEOUT_SECONDS",
    "TRUSTED_PROXIES",
    "AUTHENTICATION_BACKENDS",
    "ADMIN_PASSWORD",
    "API_REQUESTS_PER_MINUTE",
    "API_ANONYMOUS_PER_MINUTE",
    "BIND",
    "CONFIG",
    "CONFIG_OVERRIDES",
    "DEBUG",
)
_NAMES = (*_READABLE_FROM_FILES, "SWAP", "SWAP_FILE")
ON: Final = frozenset({"on", "true", "yes", "1", "enabled"})
OFF: Final = frozenset({"off", "false", "no", "0", "disabled"})
"""Words of a switch, in a variable or in the kill switch file."""


class EnvironmentProblem(ValueError):  # noqa: N818
    """A variable can't be used; ``problems`` has one line for each, naming the variable and what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Environment:
    """The settings of the process. Times are seconds; paths are absolute."""

    role: str
    data_dir: Path
    credentials_dir: Path
    database_url: str = field(repr=False)
    secret_key: str | None = field(repr=False)
    allowed_hosts: tuple[str, ...]
    external_url: str
    swap: bool
    swap_file: Path | None
    webhook_token: str | None = field(repr=False)
    webhook_timeout: float
    trusted_proxies: tuple[str, ...]
    authentication_backends: tuple[str, ...]
    admin_password: str | None = field(repr=False)
    api_requests_per_minute: int
    api_anonymous_per_minute: int
    bind: str
    config: Path | None
    config_overrides: Mapping[str, object]
    debug: bool


def read(environ: Mapping[str, str] = os.environ) -> Environment:
    """Read and check the variables; an empty one counts as not set. Raises :class:`EnvironmentProblem`."""
    values, problems = _with_files(environ)
    env = _EnvironmentReader(values)
    data_dir = (env.file("DATA_DIR") or _default_data_dir(environ)).absolute()
    result = Environment(
        role=env.str("ROLE", "all", validate=_one_of(PROCESS_ROLES)),
        data_dir=data_dir,
        credentials_dir=(env.file("CREDENTIALS_DIR") or data_dir / "credentials").absolute(),
        database_url=env.str("DATABASE_URL", f"sqlite:///{data_dir}/swapper.sqlite3", validate=_database),
        secret_key=env.str("SECRET_KEY", None, validate=_long_enough),
        allowed_hosts=env.words("ALLOWED_HOSTS"),
        external_url=(env.str("EXTERNAL_URL", "", validate=_web_address) or "").rstrip("/"),
        swap=env.switch("SWAP", default=True),
        swap_file=env.file("SWAP_FILE"),
        webhook_token=env.str("WEBHOOK_TOKEN", None, validate=_token),
        webhook_timeout=env.float("WEBHOOK_TIMEOUT_SECONDS", 10.0, validate=_webhook_timeout),
        trusted_proxies=env.words("TRUSTED_PROXIES", validate=_networks),
        authentication_backends=env.words("AUTHENTICATION_BACKENDS", validate=_dotted_paths),
        admin_password=env.str("ADMIN_PASSWORD", None),
        api_requests_per_minute=env.int("API_REQUESTS_PER_MINUTE", 600, validate=_not_negative),
        api_anonymous_per_minute=env.int("API_ANONYMOUS_PER_MINUTE", 60, validate=_not_negative),
        bind=env.str("BIND", "", validate=_address) or "",
        config=env.file("CONFIG"),
        config_overrides=dict(env.json("CONFIG_OVERRIDES", {}, validate=_mapping) or {}),
        debug=env.switch("DEBUG", default=False),
    )
    problems += env.problems()
    if problems:
        raise EnvironmentProblem(problems)
    return result


class _EnvironmentReader(Env):
    """environs over a mapping of ours instead of the process's own; gathers errors until the end."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(eager=False)
        self._given = values

    def _get_value(self, env_key: str, default: Any) -> Any:
        return self._given.get(env_key, default)

    def words(self, name: str, **options: Any) -> tuple[str, ...]:
        """A list separated by commas."""
        return tuple(word for part in self.list(name, [], **options) or () if (word := part.strip()))

    def switch(self, name: str, *, default: bool) -> bool:
        text = self.str(name, "on" if default else "off", validate=_on_or_off)
        return default if not text else text.lower() in ON

    def file(self, name: str) -> Path | None:
        text = self.str(name, None, validate=_path)
        return Path(text) if text else None

    def problems(self) -> list[str]:
        try:
            self.seal()
        except EnvValidationError as error:
            texts_by_name = error.error_messages
            assert isinstance(texts_by_name, Mapping)
            return [f"{PREFIX}{name}: {text.rstrip('.')}" for name, texts in texts_by_name.items() for text in texts]
        return []


def _with_files(environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The values by name, those of ``_FILE`` forms read, and what went wrong with these."""
    values = {name: environ[PREFIX + name] for name in _NAMES if environ.get(PREFIX + name)}
    problems = []
    for name in _READABLE_FROM_FILES:
        variable = f"{PREFIX}{name}_FILE"
        if not (path := environ.get(variable)):
            continue
        if name in values:
            problems.append(f"{PREFIX}{name} and {variable} are both set; unset one of them")
            continue
        try:
            with open(path, "rb") as file:
                values[name] = file.read(MAX_VALUE_BYTES).decode().strip()
        except OSError as error:
            problems.append(f"{variable}: {path} can't be read: {error.strerror}; {_step(error)}, or unset {variable}")
            continue
        except UnicodeDecodeError:
            problems.append(f"{variable}: {path} is not UTF-8 text; write the value of {PREFIX}{name} into it")
            continue
        if not values[name]:
            del values[name]
            problems.append(f"{variable}: {path} is empty; write the value of {PREFIX}{name} into it")
    return values, problems


def _step(error: OSError) -> str:
    """What to do about a file that can't be read."""
    if isinstance(error, PermissionError):
        return "give this user the right to read it"
    return "name a file" if isinstance(error, IsADirectoryError) else "put the file there, correct its name"


def _default_data_dir(environ: Mapping[str, str]) -> Path:
    if base := environ.get("XDG_DATA_HOME"):
        return Path(base) / "k8s-image-swapper"
    if home := environ.get("HOME"):
        return Path(home) / ".local/share/k8s-image-swapper"
    raise EnvironmentProblem([f"{PREFIX}DATA_DIR is not set, and HOME is not set either; set one of them"])


def _one_of(choices: tuple[str, ...]) -> Any:
    def check(value: str) -> None:
        if value not in choices:
            raise ValidationError(f"{value[:40]!r} is not one of {', '.join(choices)}")

    return check


def _path(value: str) -> None:
    if len(value) > 4096 or "\n" in value or "\0" in value:
        raise ValidationError("must be a path, in one line")


def _on_or_off(value: str) -> None:
    if value.lower() not in ON | OFF:
        raise ValidationError(f"{value[:40]!r} is neither on nor off")


def _database(value: str) -> None:
    # The value is not repeated, as it may hold a password.
    if not value.startswith(("sqlite:///", "postgres://", "postgresql://")):
        raise ValidationError("write sqlite:///PATH or postgres://USER:PASSWORD@HOST:PORT/NAME")


def _long_enough(value: str) -> None:
    if len(value) < 32:
        raise ValidationError(f"has {len(value)} characters; make one of 50 with: openssl rand -base64 38")


def _token(value: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,256}", value):
        raise ValidationError("must be 16 to 256 of A-Z, a-z, 0-9, - and _, as it is a part of an address")


def _web_address(value: str) -> None:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.path in ("", "/") and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in value or "?" in value or "#" in value:
        raise ValidationError("must be the address of the dashboard without a path: https://swapper.example.com")


def _webhook_timeout(value: float) -> None:
    if not 1 <= value <= 30:
        raise ValidationError("must be from 1 to 30, as the webhook's timeoutSeconds in Kubernetes")


def _address(value: str) -> None:
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]*):([0-9]{1,5})", value)
    if found is None or not 0 < int(found[2]) < 65_536:
        raise ValidationError("must be the address and port to listen on: 127.0.0.1:8000, or :8443 for all addresses")


def _networks(values: list[str]) -> None:
    for value in values:
        try:
            ipaddress.ip_network(value.strip(), strict=False)
        except ValueError:
            raise ValidationError(f"{value[:60]!r} is not a valid address or CIDR, such as 10.0.0.0/8") from None


def _dotted_paths(values: list[str]) -> None:
    for value in values:
        if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", value.strip()):
            raise ValidationError(f"{value[:60]!r} is not a valid class name, such as package.module.Class")


def _not_negative(value: int) -> None:
    if value < 0:
        raise ValidationError("must be 0 (no limit) or more")


def _mapping(value: object) -> None:
    if not isinstance(value, dict):
        raise ValidationError("must be a JSON object of configuration keys")
