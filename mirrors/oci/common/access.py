"""How to access a registry: the credentials, and the properties of the connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

DOCKER_HUB = "docker.io"
DOCKER_HUB_API = "registry-1.docker.io"


@dataclass(frozen=True, slots=True)
class Credential:
    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Issued:
    """Credentials that expire at `expires_at` (monotonic seconds); no credential means anonymous.

    `fresh`: they were issued for this very request, so a refusal is due to missing permissions and not to expiry.
    """

    credential: Credential | None
    expires_at: float
    fresh: bool


class CredentialSource(Protocol):
    """A source of credentials that expire and are then issued again. Compared by identity."""

    def issue(self, *, timeout: float, refused: str | None = None) -> Issued:
        """Return the current credentials, or other ones if the registry `refused` that password.

        Waits at most `timeout` seconds. Raises RegistryError `credential` if none can be issued now.
        """
        ...


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """How one caller accesses one registry.

    `credentials` are tried in order; none means anonymous. `insecure` means plain HTTP. `ca_file` is trusted in
    addition to the system's authorities. `private_allowed` is for registries that an operator configured: it allows
    private and loopback addresses. `connect_to` (`host[:port]`) is dialled instead of `host`, whose name is still sent
    in the Host header and verified by TLS.
    """

    host: str
    credentials: tuple[Credential | CredentialSource, ...] = ()
    insecure: bool = False
    ca_file: str | None = None
    private_allowed: bool = False
    connect_to: str | None = None

    @property
    def api_host(self) -> str:
        """The host of the registry API. Docker Hub's differs from the name in its image references."""
        return DOCKER_HUB_API if self.host == DOCKER_HUB else self.host

    @property
    def has_alternatives(self) -> bool:
        """Whether other credentials, or a newer token of the same ones, may succeed after a refusal."""
        return len(self.credentials) > 1 or any(not isinstance(c, Credential) for c in self.credentials)

    @property
    def scheme(self) -> str:
        return "http" if self.insecure else "https"
