"""Reads WWW-Authenticate as registries really send it (RFC 9110 section 11.6.1, and sloppier)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_PARAMETER = re.compile(
    r"""(?:(?P<scheme>[A-Za-z][A-Za-z0-9_-]*)[ \t]+)?(?P<key>[A-Za-z][A-Za-z0-9_-]*)[ \t]*=[ \t]*"""
    r"""(?:"(?P<quoted>(?:\\.|[^"\\])*)"|(?P<bare>[^\s,"]*))"""
)
_BARE_BASIC = re.compile(r"(?:^|,)\s*basic\s*(?:,|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Challenge:
    """`scheme` is in lower case; what a Bearer challenge lacks is ""."""

    scheme: str
    realm: str = ""
    service: str = ""
    scope: str = ""


def parse(headers: Iterable[str]) -> list[Challenge]:
    """All challenges of a reply, in order: several in one header or in several, quoted values or not."""
    found: list[tuple[str, dict[str, str]]] = []
    for header in headers:
        for match in _PARAMETER.finditer(header):
            if match["scheme"] or not found:
                found.append(((match["scheme"] or "").lower(), {}))
            quoted = match["quoted"]
            value = match["bare"] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            found[-1][1].setdefault(match["key"].lower(), value)
        if _BARE_BASIC.search(header):
            found.append(("basic", {}))
    return [
        Challenge(scheme, values.get("realm", ""), values.get("service", ""), values.get("scope", ""))
        for scheme, values in found
    ]


def best(headers: Iterable[str]) -> Challenge | None:
    """The challenge to answer: Bearer with a realm before Basic; None when there is neither."""
    challenges = parse(headers)
    bearer = (challenge for challenge in challenges if challenge.scheme == "bearer" and challenge.realm)
    basic = (challenge for challenge in challenges if challenge.scheme == "basic")
    return next(bearer, None) or next(basic, None)
