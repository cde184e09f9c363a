"""The section ``source``: which images are left alone, and how source registries are read."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from swapper_project.config.aws import AwsRegistry
from swapper_project.config.gcp import GcpRegistry
from swapper_project.config.section import LogIn, Section
from swapper_project.config.values import Host, HostPattern, JmesPath, Namespace, SecretKey


class FilterConfig(Section):
    jmespath: JmesPath


class SourceRegistry(LogIn):
    """A log-in for source images: ``aws`` or ``gcp`` with the section of that name, ``oci`` with ``host``."""

    type: Literal["aws", "gcp", "oci"]
    aws: AwsRegistry | None = None
    gcp: GcpRegistry | None = None
    host: HostPattern | None = Field(default=None, description="For type oci: host[:port] of the registry.")
    namespaces: tuple[Namespace, ...] = Field(
        default=(),
        description="For type oci: whose pods are served private images with this log-in; '*' for all. "
        "Without any it serves what anonymous clients can read too.",
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

    @property
    def password_references(self) -> dict[str, str | None]:
        return {**super().password_references, "passwordSecret": self.password_secret}

    @property
    def registry_host(self) -> str:
        """The host this log-in is for, whatever the type; may start with ``*.``."""
        return self.cloud.host if self.cloud else self.host or ""

    @property
    def cloud(self) -> AwsRegistry | GcpRegistry | None:
        """The section of its type; None for type oci."""
        return {"aws": self.aws, "gcp": self.gcp}.get(self.type)

    @property
    def aliases(self) -> tuple[str, ...]:
        """Other names of the same host: ECR has several."""
        hosts = self.aws.hosts if self.aws and self.type == "aws" else ()
        return tuple(host for host in hosts if host != self.registry_host)

    @property
    def serves_all_namespaces(self) -> bool:
        return self.type != "oci" or "*" in self.namespaces

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if self.type == "oci":
            if self.host is None:
                raise ValueError("host is missing; type oci needs it")
            return self
        if getattr(self, self.type) is None:
            raise ValueError(f"{self.type} is missing; type {self.type} needs this section")
        mine = {name for name in type(self).model_fields if name not in ("type", "aws", "gcp")}
        foreign = {name for name in mine if getattr(self, name) != type(self).model_fields[name].default}
        if foreign:
            keys = ", ".join(sorted(str(type(self).model_fields[name].alias) for name in foreign))
            raise ValueError(f"{keys}: only for type oci; type {self.type} logs in with the cloud's own credentials")
        return self


class Source(Section):
    registries: tuple[SourceRegistry, ...] = ()
    filters: tuple[FilterConfig, ...] = Field(
        default=(), description="Images for which one of these gives true are left alone."
    )
    allowed_hosts: tuple[HostPattern, ...] = Field(
        default=(), description="Registries that may be mirrored from; empty: any public one."
    )
