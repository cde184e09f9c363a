"""How a registry may be reached: who we are there, and what the connection may be like."""

from __future__ import annotations

from dataclasses import dataclass, field

DOCKER_HUB = "docker.io"
DOCKER_HUB_API = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Credential:
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """One registry as one caller may use it.

    `credentials` are tried in turn, none of them means anonymous. `insecure` means plain HTTP. `ca_file` is trusted
    besides the system's authorities. `private_allowed` is for registries that an operator configured: private and
    loopback addresses are then fine. `connect_to` (`host[:port]`) is dialled in place of `host`, whose name still
    goes into the Host header and is the one that TLS verifies.
    """

    host: str
    credentials: tuple[Credential, ...] = ()
    insecure: bool = False
    ca_file: str | None = None
    private_allowed: bool = False
    connect_to: str | None = None

    @property
    def api_host(self) -> str:
        """The host of the registry API: Docker Hub's differs from the name in its references."""
        return DOCKER_HUB_API if self.host == DOCKER_HUB else self.host

    @property
    def scheme(self) -> str:
        return "http" if self.insecure else "https"
