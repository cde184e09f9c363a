"""Any OCI registry as a target: repositories come to be with the first push."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mirrors.oci import RegistryAccess
from mirrors.registries.credentials import resolve
from swapper_project.config import OciTarget


@dataclass(frozen=True, slots=True)
class OciDriver:
    """``target.oci`` of the configuration. The password is read anew at each call."""

    target: OciTarget
    credentials_dir: Path

    def access(self) -> RegistryAccess:
        credential = resolve(
            username=self.target.username,
            password_file=self.target.password_file,
            password_env=self.target.password_env,
            credentials_dir=self.credentials_dir,
        )
        return RegistryAccess(
            host=self.target.name.endpoint,
            credentials=(credential,) if credential else (),
            insecure=self.target.insecure,
            ca_file=self.target.ca_file,
            private_allowed=True,
        )

    def ensure_repository(self, repository: str) -> bool:
        return False
