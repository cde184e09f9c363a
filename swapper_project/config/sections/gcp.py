"""Google Artifact Registry in the configuration, as a source and as the target."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from mirrors.images import TargetName
from mirrors.images.cloud_hosts import gar_host
from mirrors.images.target_name import target_name
from swapper_project.config.sections.section import RegistryConnection, Section
from swapper_project.config.sections.values import (
    Host,
    KmsKeyName,
    Location,
    PlainText,
    Policy,
    ProjectId,
    RepositoryId,
)


class GcpRegistry(RegistryConnection):
    """A repository of Google Artifact Registry, as a source."""

    location: Location
    project_id: ProjectId
    repository_id: RepositoryId

    @property
    def host(self) -> str:
        return gar_host(self.location)

    @property
    def path(self) -> str:
        """Project and repository as in image names: a project of a domain (example.com:project) has a slash there."""
        return f"{self.project_id.replace(':', '/')}/{self.repository_id}"


class Label(Section):
    key: PlainText = Field(min_length=1, max_length=63)
    value: PlainText = Field(max_length=63)


class GarOptions(Section):
    """With what settings the repository is created."""

    labels: tuple[Label, ...] = ()
    kms_key_name: KmsKeyName | None = None
    cleanup_policies: Policy | None = Field(
        default=None, description="JSON as text: an object of clean-up policies by ID, as the REST API has it."
    )

    @property
    def labels_by_key(self) -> dict[str, str]:
        return {label.key: label.value for label in self.labels}


class GcpTarget(GcpRegistry):
    create_repository: bool = False
    gar_options: GarOptions = GarOptions()
    api_endpoint: Host | None = Field(
        default=None, description="Host of the Artifact Registry API, if it is reached by another name."
    )

    @property
    def name(self) -> TargetName:
        return target_name(self.host, self.path)

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterator[str]:
        options = values.get("garOptions")
        if isinstance(options, dict) and any(options.values()) and not values.get("createRepository"):
            yield "garOptions applies only to a repository that is created by mirroring: set createRepository to true"
