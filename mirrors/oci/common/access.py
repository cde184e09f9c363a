"""How a registry may be reached: who we are there, and what the connection may be like."""

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

    `fresh`: they were issued for this very question, so a refusal is about what they may do.
    """

    credential: Credential | None
    expires_at: float
    fresh: bool


class CredentialSource(Protocol):
    """Where credentials come from that expire and are then issued again. Compared by identity."""

    def issue(self, *, timeout: float, refused: str | None = None) -> Issued:
        """The current credentials; others where the registry `refused` that password.

        Waits `timeout` seconds at most. Raises RegistryError `credential` when none can be issued now.
        """
        ...


@dataclass(frozen=True, slots=True)
class RegistryAccess:
    """One registry as one caller may use it.

    `credentials` are tried in turn, none of them means anonymous. `insecure` means plain HTTP. `ca_file` is trusted
    besides the system's authorities. `private_allowed` is for registries that an operator configured: private and
    loopback addresses are then fine. `connect_to` (`host[:port]`) is dialled in place of `host`, whose name still
    goes into the Host header and is the one that TLS verifies.
    """

    host: str
    credentials: tuple[Credential | CredentialSource, ...] = ()
    insecure: bool = False
    ca_file: str | None = None
    private_allowed: bool = False
    connect_to: str | None = None

    @property
    def api_host(self) -> str:
        """The host of the registry API: Docker Hub's differs from the name in its references."""
        return DOCKER_HUB_API if self.host == DOCKER_HUB else self.host

    @property
    def has_alternatives(self) -> bool:
        """Whether being denied something may be answered by other credentials, or by a newer token of the same ones."""
        return len(self.credentials) > 1 or any(not isinstance(c, Credential) for c in self.credentials)

    @property
    def scheme(self) -> str:
        return "http" if self.insecure else "https"
