"""Any OCI registry as the target. The first push creates a repository."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mirrors.oci import RegistryAccess
from mirrors.registries.credentials import Reference, resolve
from mirrors.registries.registry_driver import RepositoryState
from swapper_project.config import OciTarget


@dataclass(frozen=True, slots=True)
class OciDriver:
    """The driver of ``target.oci`` in the configuration. The password is read at each call."""

    target: OciTarget
    credentials_dir: Path

    def access(self) -> RegistryAccess:
        target = self.target
        credential = None
        if target.username:
            reference = Reference(target.username, target.password_file, target.password_env)
            credential = resolve(reference, self.credentials_dir)
        return RegistryAccess(
            host=target.name.endpoint,
            credentials=(credential,) if credential else (),
            insecure=target.insecure,
            ca_file=target.ca_file,
            private_allowed=True,
            connect_to=target.connect_to,
        )

    def ensure_repository(self, repository: str) -> RepositoryState:
        return RepositoryState()

    def apply_settings(self, repository: str) -> RepositoryState:
        return RepositoryState()

    def forget(self, repository: str) -> None:
        """Do nothing: this driver caches no state."""
