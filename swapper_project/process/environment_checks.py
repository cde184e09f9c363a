"""Checks of the values of ``SWAPPER_*`` variables. Each raises a ``ValidationError`` that names the allowed values."""

from __future__ import annotations

import ipaddress
import re
from typing import Any, Final
from urllib.parse import urlsplit

from environs import ValidationError

ON: Final = frozenset({"on", "true", "yes", "1", "enabled"})
OFF: Final = frozenset({"off", "false", "no", "0", "disabled"})
"""The values of a switch, in a variable or in the kill switch file."""


def one_of(choices: tuple[str, ...]) -> Any:
    def check(value: str) -> None:
        if value not in choices:
            raise ValidationError(f"{value[:40]!r} is not one of {', '.join(choices)}")

    return check


def path(value: str) -> None:
    if len(value) > 4096 or "\n" in value or "\0" in value:
        raise ValidationError("must be a path, in one line")


def on_or_off(value: str) -> None:
    if value.lower() not in ON | OFF:
        raise ValidationError(f"{value[:40]!r} is neither on nor off")


def database(value: str) -> None:
    # The value is not repeated, because it can contain a password.
    if not value.startswith(("sqlite:///", "postgres://", "postgresql://")):
        raise ValidationError("write sqlite:///PATH or postgres://USER:PASSWORD@HOST:PORT/NAME")


def long_enough(value: str) -> None:
    if len(value) < 32:
        length = len(value)
        raise ValidationError(
            f"has {length} characters; at least 32 are required. Generate one with: openssl rand -hex 32"
        )


def token(value: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{16,256}", value):
        raise ValidationError("must be 16 to 256 of A-Z, a-z, 0-9, - and _, because it is a part of a URL")


def web_address(value: str) -> None:
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.path in ("", "/") and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in value or "?" in value or "#" in value:
        raise ValidationError("must be the address of the dashboard without a path: https://swapper.example.com")


def webhook_timeout(value: float) -> None:
    if not 1 <= value <= 30:
        raise ValidationError("must be from 1 to 30, as the webhook's timeoutSeconds in Kubernetes")


def address(value: str) -> None:
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]*):([0-9]{1,5})", value)
    if match is None or not 0 < int(match[2]) < 65_536:
        raise ValidationError("must be the address and port to listen on: 127.0.0.1:8000, or :8443 for all addresses")


def networks(values: list[str]) -> None:
    for value in values:
        try:
            ipaddress.ip_network(value.strip(), strict=False)
        except ValueError:
            raise ValidationError(f"{value[:60]!r} is not a valid address or CIDR, such as 10.0.0.0/8") from None


def dotted_paths(values: list[str]) -> None:
    for value in values:
        if not re.fullmatch(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", value.strip()):
            raise ValidationError(f"{value[:60]!r} is not a valid class name, such as package.module.Class")


def not_negative(value: int) -> None:
    if value < 0:
        raise ValidationError("must be 0 (no limit) or more")


def mapping(value: object) -> None:
    if not isinstance(value, dict):
        raise ValidationError("must be a JSON object of configuration keys")
