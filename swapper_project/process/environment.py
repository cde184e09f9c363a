"""Process settings from ``SWAPPER_*`` environment variables, most of which have a ``_FILE`` form. Uses no Django."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from environs import Env, EnvValidationError

from swapper_project.process import environment_checks as checks
from swapper_project.process.environment_checks import ON

PREFIX = "SWAPPER_"
PROCESS_ROLES = ("webhook", "web", "worker", "watcher", "all")
MAX_VALUE_BYTES = 64 * 1024
"""The maximum number of bytes read from a file with the value of a variable; values are usually one line."""

# SWAP has no ``_FILE`` form: SWAPPER_SWAP_FILE is the kill switch, which is watched instead of read only once.
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


class EnvironmentProblem(ValueError):  # noqa: N818
    """Variables cannot be used; ``problems`` has one line for each problem, with the variable and the remedy."""

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
    """Read and check the variables. An empty variable counts as not set. Raises :class:`EnvironmentProblem`."""
    values, problems = _read_values(environ)
    env = _EnvironmentReader(values)
    data_dir = (env.file("DATA_DIR") or _default_data_dir(environ)).absolute()
    result = Environment(
        role=env.str("ROLE", "all", validate=checks.one_of(PROCESS_ROLES)),
        data_dir=data_dir,
        credentials_dir=(env.file("CREDENTIALS_DIR") or data_dir / "credentials").absolute(),
        database_url=env.str("DATABASE_URL", f"sqlite:///{data_dir}/swapper.sqlite3", validate=checks.database),
        secret_key=env.str("SECRET_KEY", None, validate=checks.long_enough),
        allowed_hosts=env.words("ALLOWED_HOSTS"),
        external_url=(env.str("EXTERNAL_URL", "", validate=checks.web_address) or "").rstrip("/"),
        swap=env.switch("SWAP", default=True),
        swap_file=env.file("SWAP_FILE"),
        webhook_token=env.str("WEBHOOK_TOKEN", None, validate=checks.token),
        webhook_timeout=env.float("WEBHOOK_TIMEOUT_SECONDS", 10.0, validate=checks.webhook_timeout),
        trusted_proxies=env.words("TRUSTED_PROXIES", validate=checks.networks),
        authentication_backends=env.words("AUTHENTICATION_BACKENDS", validate=checks.dotted_paths),
        admin_password=env.str("ADMIN_PASSWORD", None),
        api_requests_per_minute=env.int("API_REQUESTS_PER_MINUTE", 600, validate=checks.not_negative),
        api_anonymous_per_minute=env.int("API_ANONYMOUS_PER_MINUTE", 60, validate=checks.not_negative),
        bind=env.str("BIND", "", validate=checks.address) or "",
        config=env.file("CONFIG"),
        config_overrides=dict(env.json("CONFIG_OVERRIDES", {}, validate=checks.mapping) or {}),
        debug=env.switch("DEBUG", default=False),
    )
    problems += env.problems()
    if problems:
        raise EnvironmentProblem(problems)
    return result


class _EnvironmentReader(Env):
    """Makes environs read a given mapping instead of ``os.environ``, and collect all errors."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(eager=False)
        self._raw_values = values

    def _get_value(self, env_key: str, default: Any) -> Any:
        return self._raw_values.get(env_key, default)

    def words(self, name: str, **options: Any) -> tuple[str, ...]:
        """Return the entries of a comma-separated list."""
        return tuple(word for part in self.list(name, [], **options) or () if (word := part.strip()))

    def switch(self, name: str, *, default: bool) -> bool:
        text = self.str(name, "on" if default else "off", validate=checks.on_or_off)
        return default if not text else text.lower() in ON

    def file(self, name: str) -> Path | None:
        text = self.str(name, None, validate=checks.path)
        return Path(text) if text else None

    def problems(self) -> list[str]:
        try:
            self.seal()
        except EnvValidationError as error:
            texts_by_name = error.error_messages
            assert isinstance(texts_by_name, Mapping)
            return [f"{PREFIX}{name}: {text.rstrip('.')}" for name, texts in texts_by_name.items() for text in texts]
        return []


def _read_values(environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Return the values by name, including those from ``_FILE`` forms, and the problems with these forms."""
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
            problems.append(
                f"{variable}: {path} can't be read: {error.strerror}; {_remedy(error)}, or unset {variable}"
            )
            continue
        except UnicodeDecodeError:
            problems.append(f"{variable}: {path} is not UTF-8 text; write the value of {PREFIX}{name} into it")
            continue
        if not values[name]:
            del values[name]
            problems.append(f"{variable}: {path} is empty; write the value of {PREFIX}{name} into it")
    return values, problems


def _remedy(error: OSError) -> str:
    """Return the remedy for a file that cannot be read."""
    if isinstance(error, PermissionError):
        return "give this user the right to read it"
    return "name a file" if isinstance(error, IsADirectoryError) else "put the file there, correct its name"


def _default_data_dir(environ: Mapping[str, str]) -> Path:
    if base := environ.get("XDG_DATA_HOME"):
        return Path(base) / "k8s-image-swapper"
    if home := environ.get("HOME"):
        return Path(home) / ".local/share/k8s-image-swapper"
    raise EnvironmentProblem([f"{PREFIX}DATA_DIR is not set, and HOME is not set either; set one of them"])
