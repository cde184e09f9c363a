"""The interface of the drivers of target registries. This package has one driver for each kind of registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from mirrors.oci import RegistryAccess


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting of a repository that differs from the configuration. ``problem`` is why it cannot be read or
    changed."""

    setting: str
    wanted: str
    found: str
    problem: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RepositoryState:
    """The state of a repository, as a driver has just read it.

    ``is_new``: the driver has just created the repository, so it is empty. ``pulls_through``: the repository is a
    pull-through cache, so nothing is copied to it. ``differences`` is None if the settings were not checked. ``facts``
    are displayed to users.
    """

    is_new: bool = False
    pulls_through: bool = False
    differences: tuple[Difference, ...] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def was_inspected(self) -> bool:
        """Whether the driver has read anything about the repository. If not, only pushes to it are known to be
        possible."""
        return self.differences is not None or self.is_new or self.pulls_through


class RegistryDriver(Protocol):
    """A target registry: how it is accessed, and how its repositories are created."""

    def access(self) -> RegistryAccess:
        """Return how the engine accesses the registry. Raises CredentialError if its credentials cannot be read."""
        ...

    def ensure_repository(self, repository: str) -> RepositoryState:
        """Create the repository if it is missing and the configuration allows it. Raises RegistryError."""
        ...

    def apply_settings(self, repository: str) -> RepositoryState:
        """Apply the configured settings to an existing repository, and return its new state. Raises RegistryError."""
        ...

    def forget(self, repository: str) -> None:
        """Discard the cached state of the repository, because a request showed that it is wrong."""
        ...
