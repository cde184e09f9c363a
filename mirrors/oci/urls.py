"""URLs that registries hand us (redirects, upload Locations, token realms): parsed strictly, never printed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

from mirrors.oci.errors import RegistryError

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Url:
    """`target` (path and query) may carry upload state or a signature, so it is kept out of `repr`."""

    scheme: str
    host: str
    port: int
    target: str = field(repr=False)

    @classmethod
    def parse(cls, text: str, *, seen_by: str) -> Url:
        """Reads an absolute URL. Raises RegistryError `invalid` blaming the registry `seen_by`."""
        refused = RegistryError("invalid", f"{seen_by} sent a URL that cannot be used", host=seen_by)
        if _FORBIDDEN.search(text):
            raise refused
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise refused from None
        scheme = parts.scheme.lower()
        if scheme not in _PORTS or not parts.hostname or "@" in parts.netloc or port == 0:
            raise refused
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(scheme, parts.hostname.lower().rstrip("."), port or _PORTS[scheme], target)

    def follow(self, location: str, *, seen_by: str) -> Url:
        """What a Location header (absolute or relative) means when it stands in the reply to this URL."""
        if _FORBIDDEN.search(location):
            raise RegistryError("invalid", f"{seen_by} sent a Location that cannot be used", host=seen_by)
        try:
            joined = urljoin(self.text, location)
        except ValueError:
            raise RegistryError("invalid", f"{seen_by} sent a Location that cannot be used", host=seen_by) from None
        return Url.parse(joined, seen_by=seen_by)

    def with_query(self, query: str) -> Url:
        """The URL with `query` appended to what it carries already."""
        return Url(self.scheme, self.host, self.port, f"{self.target}{'&' if '?' in self.target else '?'}{query}")

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port

    @property
    def text(self) -> str:
        return f"{self.scheme}://{self.netloc}{self.target}"

    @property
    def netloc(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"


def split_host(text: str, default_port: int) -> tuple[str, int]:
    """`host[:port]` (IPv6 in brackets) as its two parts."""
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host:
        raise RegistryError("invalid", f"{text!r} is not a registry host", host=text)
    return host, port or default_port
