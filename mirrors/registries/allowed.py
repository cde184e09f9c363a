"""The source hosts that are allowed, by name. The engine checks the addresses of a name."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

_LOCAL: Final = (".local", ".localhost", ".internal", ".svc", ".lan", ".home.arpa")
"""Suffixes of names that no public name server resolves."""


class AllowedSources:
    """The hosts of ``source.allowedHosts``; if there are none, any host that may be public.

    A host that can't be public is allowed only if it is configured as a source registry, because the engine does not
    connect to private addresses of other hosts. ``is_configured`` returns whether a host is configured.
    """

    def __init__(self, allowed: Sequence[str], is_configured: Callable[[str], bool]) -> None:
        self._exact = frozenset(host for host in allowed if not host.startswith("*."))
        self._suffixes = tuple(host[1:] for host in allowed if host.startswith("*."))
        self._is_configured = is_configured

    def __call__(self, host: str) -> bool:
        return not self.refusal(host)

    def refusal(self, host: str) -> str:
        """Return why no image of the host is mirrored, and what to do first; empty if the host is allowed."""
        if (self._exact or self._suffixes) and host not in self._exact and not host.endswith(self._suffixes or "\0"):
            return f"{host} is not among source.allowedHosts of the configuration file: add it there first."
        if not may_be_public(host) and not self._is_configured(host):
            return f"{host} is not a public registry: if it is yours, add it to the source registries first."
        return ""


@lru_cache(maxsize=1_024)
def may_be_public(host: str) -> bool:
    """Return False for IP addresses that are not public, for single words, and for names with a local suffix."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    try:
        return ipaddress.ip_address(name).is_global
    except ValueError:
        # Resolvers read 127.1 and 0x7f.1 as addresses; a top-level domain is never a number.
        is_number = name.rpartition(".")[2].removeprefix("0x").isdigit()
        return "." in name and not is_number and not f".{name}".endswith(_LOCAL)
