"""What every kind of target registry can do for us. One driver a kind, beside this file."""

from __future__ import annotations

from typing import Protocol

from mirrors.oci import RegistryAccess


class DriverMissingError(Exception):
    """There is no driver for this kind of target; the message says what to choose instead."""


class RegistryDriver(Protocol):
    """A target registry: how it is reached, and how its repositories come to be."""

    def access(self) -> RegistryAccess:
        """How the engine reaches it. Raises CredentialError where its log-in can't be read."""
        ...

    def ensure_repository(self, repository: str) -> bool:
        """Make the repository where it is missing; true where it was made just now, and so is empty."""
        ...
