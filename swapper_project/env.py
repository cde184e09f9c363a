"""Process settings: SWAPPER_* environment variables, each with a _FILE form."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Environment:
    """What the process was told about itself."""

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
    config: Path | None
    config_overrides: Mapping[str, object]
    debug: bool


def read(environ: Mapping[str, str] = os.environ) -> Environment:
    home = Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local/share")
    data_dir = Path(environ.get("SWAPPER_DATA_DIR") or home / "k8s-image-swapper")
    return Environment(
        role=environ.get("SWAPPER_ROLE", "all"),
        data_dir=data_dir,
        credentials_dir=Path(environ.get("SWAPPER_CREDENTIALS_DIR") or data_dir / "credentials"),
        database_url=environ.get("SWAPPER_DATABASE_URL") or f"sqlite:///{data_dir}/swapper.sqlite3",
        secret_key=environ.get("SWAPPER_SECRET_KEY"),
        allowed_hosts=tuple(filter(None, environ.get("SWAPPER_ALLOWED_HOSTS", "").split(","))),
        external_url=environ.get("SWAPPER_EXTERNAL_URL", ""),
        swap=environ.get("SWAPPER_SWAP", "on") != "off",
        swap_file=Path(environ["SWAPPER_SWAP_FILE"]) if environ.get("SWAPPER_SWAP_FILE") else None,
        webhook_token=environ.get("SWAPPER_WEBHOOK_TOKEN"),
        webhook_timeout=float(environ.get("SWAPPER_WEBHOOK_TIMEOUT_SECONDS", "10")),
        trusted_proxies=tuple(filter(None, environ.get("SWAPPER_TRUSTED_PROXIES", "").split(","))),
        config=Path(environ["SWAPPER_CONFIG"]) if environ.get("SWAPPER_CONFIG") else None,
        config_overrides=json.loads(environ.get("SWAPPER_CONFIG_OVERRIDES", "{}")),
        debug=environ.get("SWAPPER_DEBUG", "off") == "on",
    )
