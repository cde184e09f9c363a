"""The one repository of an Artifact Registry target: read and created with Google's own client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError
from google.cloud import artifactregistry_v1 as artifactregistry
from google.cloud.artifactregistry_v1.services.artifact_registry.transports import ArtifactRegistryGrpcTransport
from google.protobuf import json_format
from google.protobuf.field_mask_pb2 import FieldMask

from mirrors.oci import RegistryError
from mirrors.registries.authorities import ca_bundle
from mirrors.registries.gcp.login import find_credentials
from swapper_project.config import GcpTarget

API: Final = "artifactregistry.googleapis.com"
CALL_SECONDS: Final = 15.0
"""The timeout in seconds of a call of the Artifact Registry API, which usually responds within one second."""

CREATION_SECONDS: Final = 120.0
"""The timeout in seconds for the creation of a repository, a long-running operation that takes some seconds."""

DOCKER: Final = artifactregistry.Repository.Format.DOCKER
REMOTE: Final = artifactregistry.Repository.Mode.REMOTE_REPOSITORY
VIRTUAL: Final = artifactregistry.Repository.Mode.VIRTUAL_REPOSITORY


@dataclass(frozen=True, slots=True)
class ApiRepository:
    """The repository of ``target.gcp`` in the API of Artifact Registry. Every method raises RegistryError."""

    target: GcpTarget
    trusted_ca: str | None

    @property
    def name(self) -> str:
        return f"{self._parent}/repositories/{self.target.repository_id}"

    @property
    def _parent(self) -> str:
        return f"projects/{self.target.project_id}/locations/{self.target.location}"

    def get(self) -> artifactregistry.Repository | None:
        """Return the repository, or None if it does not exist."""
        with self._client_for("artifactregistry.repositories.get") as client:
            try:
                return client.get_repository(name=self.name, timeout=CALL_SECONDS)
            except exceptions.NotFound:
                return None

    def create(self) -> bool:
        """Create the repository. Return False if another process has created it in the meantime."""
        with self._client_for("artifactregistry.repositories.create") as client:
            request = artifactregistry.CreateRepositoryRequest(
                parent=self._parent, repository_id=self.target.repository_id, repository=self._configured_repository()
            )
            try:
                creation: Any = client.create_repository(request, timeout=CALL_SECONDS)
                creation.result(timeout=CREATION_SECONDS)
            except exceptions.AlreadyExists:
                return False
            return True

    def update_labels(self, existing: artifactregistry.Repository) -> artifactregistry.Repository:
        """Set the configured labels, and return the changed repository. Labels that other tools have set are kept."""
        labels = {**existing.labels, **self.target.gar_options.labels_by_key}
        with self._client_for("artifactregistry.repositories.update") as client:
            repository = artifactregistry.Repository(name=self.name, labels=labels)
            return client.update_repository(
                repository=repository, update_mask=FieldMask(paths=["labels"]), timeout=CALL_SECONDS
            )

    def _configured_repository(self) -> artifactregistry.Repository:
        options = self.target.gar_options
        repository = artifactregistry.Repository(
            format_=DOCKER,
            description="Mirror of k8s-image-swapper",
            labels=options.labels_by_key,
            kms_key_name=options.kms_key_name or "",
        )
        if options.cleanup_policies:
            policies = f'{{"cleanupPolicies": {options.cleanup_policies}}}'
            try:
                json_format.Parse(policies, artifactregistry.Repository.pb(repository))
            except json_format.ParseError as error:
                raise RegistryError(
                    "invalid", f"target.gcp.garOptions.cleanupPolicies: {str(error)[:300]}", host=self.target.host
                ) from None
        return repository

    def _client(self) -> artifactregistry.ArtifactRegistryClient:
        """Return a new client. It is closed after each use, because no gRPC channel may exist when a process forks."""
        authorities = ca_bundle(self.trusted_ca)
        roots = Path(authorities).read_bytes() if authorities else None
        transport = ArtifactRegistryGrpcTransport(
            host=self.target.api_endpoint or API,
            credentials=find_credentials(self.target.host, self.trusted_ca),
            ssl_channel_credentials=grpc.ssl_channel_credentials(root_certificates=roots),
        )
        return artifactregistry.ArtifactRegistryClient(transport=transport)

    @contextmanager
    def _client_for(self, permission: str) -> Iterator[artifactregistry.ArtifactRegistryClient]:
        host = self.target.host
        try:
            with self._client() as client:
                yield client
        except exceptions.GoogleAPICallError as error:
            raise self._refusal(error, permission) from None
        except (exceptions.RetryError, GoogleAuthError, TimeoutError) as error:
            text = f"Artifact Registry did not respond for {self.name} ({type(error).__name__}); check the network"
            raise RegistryError("timeout", text, host=host, says_step=True) from None

    def _refusal(self, error: exceptions.GoogleAPICallError, permission: str) -> RegistryError:
        host, message = self.target.host, str(error.message)[:300]
        if isinstance(error, exceptions.PermissionDenied):
            text = (
                f"Google refused {permission} on {self.name}: grant our service account a role that includes it "
                f"({GCP_ROLES})"
            )
            return RegistryError("denied", text, host=host, says_step=True)
        if isinstance(error, exceptions.Unauthenticated):
            return RegistryError("credential", f"Google rejected our credentials for {self.name}: {message}", host=host)
        if isinstance(error, exceptions.ResourceExhausted):
            return RegistryError("rate-limited", f"Google throttles calls for {self.name}", host=host, retry_after=30.0)
        if isinstance(error, exceptions.DeadlineExceeded):
            return RegistryError("timeout", f"Artifact Registry did not respond in time for {self.name}", host=host)
        if isinstance(error, exceptions.ServerError):
            text = f"Artifact Registry returned an error for {self.name} ({type(error).__name__}); the call is retried"
            return RegistryError("unavailable", text, host=host)
        return RegistryError("invalid", f"Google refused the call for {self.name}: {message}", host=host)


GCP_ROLES: Final = "roles/artifactregistry.writer to mirror, roles/artifactregistry.admin also to create the repository"


def facts(repository: artifactregistry.Repository) -> dict[str, Any]:
    """Return the facts of a repository that are displayed to users."""
    return {
        "format": artifactregistry.Repository.Format(repository.format_).name,
        "mode": artifactregistry.Repository.Mode(repository.mode).name,
        "immutableTags": repository.docker_config.immutable_tags,
        "kmsKeyName": repository.kms_key_name,
        "labels": dict(repository.labels),
        "cleanupPolicies": sorted(repository.cleanup_policies),
        "sizeBytes": int(repository.size_bytes),
    }
