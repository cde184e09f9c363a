"""URLs that registries send (redirects, upload Locations, token realms): parsed strictly, never printed."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final
from urllib.parse import urljoin, urlsplit

from mirrors.oci.common.errors import RegistryError

Origin = tuple[str, str, int]
"""Scheme, host, port."""

MAX_URL_CHARACTERS: Final = 16_384
"""The maximum length of a URL; presigned URLs of clouds have up to 4,000 characters."""

MAX_HOSTS: Final = 1_024
"""Hosts whose parts are cached, some hundred bytes each. The number is bounded, because pods choose hosts."""

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_PORTS = {"http": 80, "https": 443}
_ABSOLUTE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(//.*)", re.DOTALL)
_NAME = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")


@dataclass(frozen=True, slots=True)
class Url:
    """A URL. `target` (path and query) may contain upload state or a signature: it is sent unchanged, and not in
    `repr`."""

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)

    @classmethod
    def parse(cls, text: str, *, sent_by: str) -> Url:
        """Parse an absolute URL. Raises RegistryError `invalid`, with the registry `sent_by` as its host."""
        error = RegistryError("invalid", f"{sent_by} sent a URL that cannot be used", host=sent_by)
        match = _ABSOLUTE.fullmatch(text) if len(text) <= MAX_URL_CHARACTERS else None
        if match is None or _FORBIDDEN.search(text):
            raise error
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise error from None
        scheme, host = match[1].lower(), (parts.hostname or "").lower().rstrip(".")
        if scheme not in _PORTS or not _is_host(host) or "@" in parts.netloc or port == 0:
            raise error
        target = match[2][2 + len(parts.netloc) :].partition("#")[0]
        return cls(scheme, host, port or _PORTS[scheme], target if target.startswith("/") else f"/{target}")

    def follow(self, location: str, *, sent_by: str) -> Url:
        """Return the URL of a Location header (absolute or relative) in the reply to this URL.

        A location that has its own path is kept byte for byte, because a signature may cover each byte.
        """
        if len(location) > MAX_URL_CHARACTERS or _FORBIDDEN.search(location):
            raise RegistryError("invalid", f"{sent_by} sent a Location that cannot be used", host=sent_by)
        if _ABSOLUTE.fullmatch(location):
            return Url.parse(location, sent_by=sent_by)
        if location.startswith("//"):
            return Url.parse(f"{self.scheme}:{location}", sent_by=sent_by)
        if location.startswith("/"):
            return Url(self.scheme, self.host, self.port, location.partition("#")[0])
        try:
            joined = urljoin(self.text, location)
        except ValueError:
            raise RegistryError("invalid", f"{sent_by} sent a Location that cannot be used", host=sent_by) from None
        return Url.parse(joined, sent_by=sent_by)

    def with_query(self, query: str) -> Url:
        """Return the URL with `query` appended to its existing query."""
        return Url(self.scheme, self.host, self.port, f"{self.target}{'&' if '?' in self.target else '?'}{query}")

    @property
    def origin(self) -> Origin:
        return self.scheme, self.host, self.port

    @property
    def text(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.target}"

    @property
    def netloc(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


@lru_cache(maxsize=MAX_HOSTS)
def split_host(text: str, default_port: int) -> tuple[str, int]:
    """Return the two parts of `host[:port]` (IPv6 in brackets)."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host:
        raise RegistryError("invalid", f"{text!r} is not a registry host", host=text)
    return host, port or default_port


def _is_host(host: str) -> bool:
    """Return whether the host is a valid DNS name or an address (without a zone)."""
    if _NAME.fullmatch(host) and len(host) <= 253:
        return True
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return "%" not in host
