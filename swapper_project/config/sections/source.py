"""The section ``source``: filters, which exclude images, and source registries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from swapper_project.config.sections.aws import AwsRegistry
from swapper_project.config.sections.gcp import GcpRegistry
from swapper_project.config.sections.section import RegistryWithCredentials, Section
from swapper_project.config.sections.values import Host, HostPattern, JmesPath, Namespace, SecretKey


class FilterConfig(Section):
    jmespath: JmesPath


class SourceRegistry(RegistryWithCredentials):
    """Credentials for source images: ``aws`` or ``gcp`` with the section of that name, ``oci`` with ``host``."""

    type: Literal["aws", "gcp", "oci"]
    aws: AwsRegistry | None = None
    gcp: GcpRegistry | None = None
    host: HostPattern | None = Field(default=None, description="For type oci: host[:port] of the registry.")
    namespaces: tuple[Namespace, ...] = Field(
        default=(),
        description="For type oci: namespaces that may use private images read with these credentials; '*' for all. "
        "If empty, the credentials are used for public images only.",
    )

    password_secret: SecretKey | None = Field(
        default=None,
        description="For type oci: NAME/KEY of a Secret in our own namespace with the label "
        'k8s-image-swapper/credential: "true".',
    )
    mirrors: tuple[Host, ...] = Field(
        default=(),
        description="For type oci: hosts that have the same images; tried in turn, before the registry itself.",
    )

    @classmethod
    def password_keys(cls) -> tuple[str, ...]:
        return (*super().password_keys(), "passwordSecret")

    @property
    def registry_host(self) -> str:
        """The host of these credentials, for any type; it can start with ``*.``."""
        return self.cloud.host if self.cloud else self.host or ""

    @property
    def cloud(self) -> AwsRegistry | GcpRegistry | None:
        """The section of this registry's type; None for type oci."""
        return {"aws": self.aws, "gcp": self.gcp}.get(self.type)

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names of the same host: ECR has several."""
        hosts = self.aws.hosts if self.aws and self.type == "aws" else ()
        return tuple(host for host in hosts if host != self.registry_host)

    @property
    def serves_all_namespaces(self) -> bool:
        return self.type != "oci" or "*" in self.namespaces

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterator[str]:
        yield from super().conflicts(values)
        kind = values.get("type")
        if kind == "oci" and "host" not in values:
            yield "host is missing; type oci needs it"
        if kind not in ("aws", "gcp"):
            return
        if kind not in values:
            yield f"{kind} is missing; type {kind} needs this section"
        oci_defaults = {
            str(f.alias): f.default for name, f in cls.model_fields.items() if name not in ("type", "aws", "gcp")
        }
        if unsupported := sorted(key for key, default in oci_defaults.items() if values.get(key, default) != default):
            keys = ", ".join(unsupported)
            yield f"{keys}: only for type oci; type {kind} authenticates with the cloud's own credentials"


class Source(Section):
    registries: tuple[SourceRegistry, ...] = ()
    filters: tuple[FilterConfig, ...] = Field(
        default=(), description="Images for which one of these is true are excluded."
    )
    allowed_hosts: tuple[HostPattern, ...] = Field(
        default=(), description="Registries that may be mirrored from; empty: any public one."
    )
