"""The interface of target registries of every kind. One driver a kind, beside this file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from mirrors.oci import RegistryAccess


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting of a repository that differs from the configuration. ``problem`` says why it cannot be read or
    changed."""

    setting: str
    wanted: str
    found: str
    problem: str = ""

    def as_json(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class RepositoryState:
    """A repository as a driver has just met it.

    ``is_new`` where it was made just now, and so is empty. What ``pulls_through`` brings its images itself: nothing
    is copied there. ``differences`` is None if it was not checked; ``facts`` are for people.
    """

    is_new: bool = False
    pulls_through: bool = False
    differences: tuple[Difference, ...] | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def was_looked_at(self) -> bool:
        """Whether this says anything about the repository beside that it may be pushed to."""
        return self.differences is not None or self.is_new or self.pulls_through


class RegistryDriver(Protocol):
    """A target registry: how it is reached, and how its repositories come to be."""

    def access(self) -> RegistryAccess:
        """Return how the engine accesses it. Raises CredentialError if its credentials cannot be read."""
        ...

    def ensure_repository(self, repository: str) -> RepositoryState:
        """Make the repository where it is missing and may be made. Raises RegistryError."""
        ...

    def apply_settings(self, repository: str) -> RepositoryState:
        """Give an existing repository the configured settings, and look again. Raises RegistryError."""
        ...

    def forget(self, repository: str) -> None:
        """Check again next time: the state of this repository was different from the cached one."""
        ...
