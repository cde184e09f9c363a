"""The section ``target``: the one registry that images are mirrored to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from mirrors.images import TargetName
from mirrors.images.target_name import target_name
from swapper_project.config.sections.aws import AwsTarget
from swapper_project.config.sections.gcp import GcpTarget
from swapper_project.config.sections.section import RegistryWithCredentials, Section, prefix_problems
from swapper_project.config.sections.values import Host

RegistryType = Literal["aws", "gcp", "oci"]


class OciTarget(RegistryWithCredentials):
    """Any registry that speaks the OCI distribution API."""

    endpoint: Host
    prefix: str = ""
    aliases: tuple[Host, ...] = Field(
        default=(), description="Other hosts of the same registry: images that name one of them are at the target."
    )

    @property
    def name(self) -> TargetName:
        return target_name(self.endpoint, self.prefix, aliases=self.aliases, insecure=self.insecure)

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterator[str]:
        yield from super().conflicts(values)
        yield from prefix_problems(values)


class Target(Section):
    type: RegistryType = "aws"
    aws: AwsTarget | None = None
    gcp: GcpTarget | None = None
    oci: OciTarget | None = None

    @property
    def chosen(self) -> AwsTarget | GcpTarget | OciTarget:
        section = {"aws": self.aws, "gcp": self.gcp, "oci": self.oci}[self.type]
        assert section is not None
        return section

    @property
    def name(self) -> TargetName:
        """The registry and prefix of mirrored images."""
        return self.chosen.name

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterator[str]:
        required_keys = {
            "aws": "accountId and region",
            "gcp": "location, projectId and repositoryId",
            "oci": "endpoint",
        }
        kind = values.get("type", "aws")
        if kind in required_keys and kind not in values:
            yield f"{kind} is missing; type {kind} needs this section, with {required_keys[kind]}"
