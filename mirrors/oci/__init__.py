"""The copy engine: copies images between registries by the OCI distribution API. Uses threads and urllib3, not
Django."""

from __future__ import annotations

from mirrors.oci.common.access import Credential, CredentialSource, Issued, RegistryAccess
from mirrors.oci.common.copy_request import CopyRequest, CopyResult
from mirrors.oci.common.descriptors import Descriptor
from mirrors.oci.common.engine_settings import EngineSettings
from mirrors.oci.common.errors import CopyCancelledError, RegistryError
from mirrors.oci.common.manifests import Manifest
from mirrors.oci.common.mount_index import Audience, MemoryMounts
from mirrors.oci.common.progress import Progress
from mirrors.oci.engine import Engine
from mirrors.oci.referrers.kinds import ReferrerPolicy
from mirrors.oci.referrers.referrers_result import ReferrersResult

__all__ = [
    "Audience",
    "CopyCancelledError",
    "CopyRequest",
    "CopyResult",
    "Credential",
    "CredentialSource",
    "Descriptor",
    "Engine",
    "EngineSettings",
    "Issued",
    "Manifest",
    "MemoryMounts",
    "Progress",
    "ReferrerPolicy",
    "ReferrersResult",
    "RegistryAccess",
    "RegistryError",
]
