"""The log line of webhook and web at startup: their addresses, the target, and whether dry run is on."""

from __future__ import annotations

from collections.abc import Iterable
from socket import AF_INET6
from typing import Any, Final

import structlog

from swapper_project.config import Config
from swapper_project.process import release

log = structlog.get_logger(__name__)

_MESSAGES: Final = {"webhook": "The webhook is listening", "web": "The web process is listening"}


def log_start(role: str, listeners: Iterable[Any], *, is_tls: bool, config: Config | None) -> None:
    """Log the start of a process. ``config`` is None for a web process without a configuration file."""
    name = config.target.name if config else None
    log.info(
        _MESSAGES.get(role, "The process is listening"),
        version=release.VERSION,
        addresses=[_url(listener, is_tls=is_tls) for listener in listeners],
        target=str(name) if name else None,
        dry_run=config.dry_run if config else None,
    )


def _url(listener: Any, *, is_tls: bool) -> str:
    address = listener.getsockname()
    if isinstance(address, str):
        return f"unix:{address}"
    host = f"[{address[0]}]" if listener.family == AF_INET6 else address[0]
    return f"{'https' if is_tls else 'http'}://{host}:{address[1]}"
