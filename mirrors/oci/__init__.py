"""The copy engine: images between registries by the OCI distribution API. Threads and urllib3; no Django."""

from __future__ import annotations

from mirrors.oci.access import Credential, CredentialSource, Issued, RegistryAccess
from mirrors.oci.engine import Engine
from mirrors.oci.errors import CopyCancelledError, RegistryError
from mirrors.oci.manifests import Descriptor
from mirrors.oci.mounts import MemoryMounts, MountIndex, Readers
from mirrors.oci.progress import Progress
from mirrors.oci.requests import CopyRequest, CopyResult
from mirrors.oci.settings import EngineSettings

__all__ = [
    "CopyCancelledError",
    "CopyRequest",
    "CopyResult",
    "Credential",
    "CredentialSource",
    "Descriptor",
    "Engine",
    "EngineSettings",
    "Issued",
    "MemoryMounts",
    "MountIndex",
    "Progress",
    "Readers",
    "RegistryAccess",
    "RegistryError",
]
