"""The section ``target``: the one registry that images are mirrored to."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from mirrors.images import TargetName
from swapper_project.config.section import LogIn, Section
from swapper_project.config.values import AccountId, Host, Location, Policy, ProjectId, Region, RepositoryId, Role

RegistryType = Literal["aws", "gcp", "oci"]
EcrHostname = Literal["standard", "fips", "dual-stack", "fips-dual-stack"]

ECR_MAX_REPOSITORY = 256


class Tag(Section):
    key: str = Field(min_length=1, max_length=128)
    value: str = Field(max_length=256)


class ImageScanningConfiguration(Section):
    image_scan_on_push: bool = True


class EncryptionConfiguration(Section):
    encryption_type: Literal["AES256", "KMS", "KMS_DSSE"] = "AES256"
    kms_key: str | None = None

    @model_validator(mode="after")
    def _key_is_used(self) -> Self:
        if self.kms_key and self.encryption_type == "AES256":
            raise ValueError("kmsKey needs encryptionType KMS or KMS_DSSE")
        return self


class EcrOptions(Section):
    """With what settings repositories are created."""

    access_policy: Policy | None = None
    lifecycle_policy: Policy | None = None
    tags: tuple[Tag, ...] = ()
    image_tag_mutability: Literal["MUTABLE", "IMMUTABLE"] = "MUTABLE"
    image_scanning_configuration: ImageScanningConfiguration = ImageScanningConfiguration()
    encryption_configuration: EncryptionConfiguration = EncryptionConfiguration()

    @model_validator(mode="after")
    def _tags_are_different(self) -> Self:
        keys = [tag.key for tag in self.tags]
        if twice := {key for key in keys if keys.count(key) > 1}:
            raise ValueError(f"tags: the key {min(twice)!r} is given twice")
        return self


class AwsRegistry(Section):
    """An ECR registry, as a source."""

    account_id: AccountId
    region: Region
    role: Role | None = Field(default=None, description="Role to assume, for a registry of another account.")

    @property
    def host(self) -> str:
        return ecr_host(self.account_id, self.region)


class AwsTarget(AwsRegistry):
    prefix: str = ""
    hostname: EcrHostname = Field(default="standard", description="Under which of its host names ECR is addressed.")
    create_repository: bool = True
    reconcile: Literal["none", "report", "apply"] = Field(
        default="report", description="What happens when an existing repository's settings differ from ecrOptions."
    )
    ecr_options: EcrOptions = EcrOptions()
    own_access_policy: Policy | None = Field(default=None, alias="accessPolicy")
    own_lifecycle_policy: Policy | None = Field(default=None, alias="lifecyclePolicy")

    @property
    def access_policy(self) -> str | None:
        """The policy for new repositories, wherever the file has it."""
        return self.own_access_policy or self.ecr_options.access_policy

    @property
    def lifecycle_policy(self) -> str | None:
        return self.own_lifecycle_policy or self.ecr_options.lifecycle_policy

    @property
    def name(self) -> TargetName:
        hosts = {kind: ecr_host(self.account_id, self.region, kind) for kind in _ECR_HOSTS}
        own = hosts.pop(self.hostname)
        return TargetName(own, self.prefix, ECR_MAX_REPOSITORY, tuple(hosts.values()))

    @model_validator(mode="after")
    def _policies_are_told_once(self) -> Self:
        for key, own, option in (
            ("accessPolicy", self.own_access_policy, self.ecr_options.access_policy),
            ("lifecyclePolicy", self.own_lifecycle_policy, self.ecr_options.lifecycle_policy),
        ):
            if own is not None and option is not None:
                raise ValueError(f"{key} is given here and under ecrOptions; keep one")
        _ = self.name  # raises for a prefix that no image name can have
        return self


class GcpRegistry(Section):
    """A repository of Google Artifact Registry, as a source."""

    location: Location
    project_id: ProjectId
    repository_id: RepositoryId

    @property
    def host(self) -> str:
        return f"{self.location}-docker.pkg.dev"


class GcpTarget(GcpRegistry):
    create_repository: bool = False

    @property
    def name(self) -> TargetName:
        # Projects of a domain (example.com:project) are written with a slash in image names.
        return TargetName(self.host, f"{self.project_id.replace(':', '/')}/{self.repository_id}")


class OciTarget(LogIn):
    """Any registry that speaks the OCI distribution API."""

    endpoint: Host
    prefix: str = ""

    @property
    def name(self) -> TargetName:
        return TargetName(self.endpoint, self.prefix)

    @model_validator(mode="after")
    def _prefix_is_a_path(self) -> Self:
        _ = self.name
        return self


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
        """Where mirrored images are put."""
        return self.chosen.name

    @model_validator(mode="after")
    def _chosen_section_is_there(self) -> Self:
        needs = {
            "aws": "accountId and region",
            "gcp": "location, projectId and repositoryId",
            "oci": "endpoint",
        }
        if getattr(self, self.type) is None:
            raise ValueError(f"{self.type} is missing; type {self.type} needs this section, with {needs[self.type]}")
        return self


_ECR_HOSTS: dict[EcrHostname, tuple[str, bool]] = {
    "standard": ("dkr.ecr", False),
    "fips": ("dkr.ecr-fips", False),
    "dual-stack": ("dkr-ecr", True),
    "fips-dual-stack": ("dkr-ecr-fips", True),
}


def ecr_host(account: str, region: str, hostname: EcrHostname = "standard") -> str:
    """The host of an account's ECR registry, in the domain of its partition."""
    service, dual_stack = _ECR_HOSTS[hostname]
    if region.startswith("cn-"):
        domain = "on.amazonwebservices.com.cn" if dual_stack else "amazonaws.com.cn"
    else:
        domain = "on.aws" if dual_stack else "amazonaws.com"
    return f"{account}.{service}.{region}.{domain}"
