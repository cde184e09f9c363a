"""Amazon ECR in the configuration, as a source and as the target."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import Field, ValidationInfo, model_validator

from mirrors.images import TargetName
from mirrors.images.cloud_hosts import EcrKind, ecr_host, ecr_hosts
from mirrors.images.target_name import ECR_MAX_REPOSITORY, target_name
from swapper_project.config.sections.section import RegistryConnection, Section, prefix_problems
from swapper_project.config.sections.values import AccountId, PlainText, Policy, Region, Role


class Tag(Section):
    key: PlainText = Field(min_length=1, max_length=128)
    value: PlainText = Field(max_length=256)


class ImageScanningConfiguration(Section):
    image_scan_on_push: bool = True


class EncryptionConfiguration(Section):
    encryption_type: Literal["AES256", "KMS", "KMS_DSSE"] = "AES256"
    kms_key: str | None = None

    @model_validator(mode="after")
    def _ignore_unused_key(self, info: ValidationInfo) -> Self:
        """Ignore a KMS key if the type is AES256. It has no effect in estahn/k8s-image-swapper either."""
        if not self.kms_key or self.encryption_type != "AES256":
            return self
        warnings: list[str] = (info.context or {}).get("warnings", [])
        warnings.append(
            "encryptionConfiguration: kmsKey is ignored because encryptionType is AES256; set it to KMS to use the key"
        )
        return self.model_copy(update={"kms_key": None})


class EcrOptions(Section):
    """With what settings repositories are created."""

    access_policy: Policy | None = None
    lifecycle_policy: Policy | None = None
    tags: tuple[Tag, ...] = ()
    image_tag_mutability: Literal["MUTABLE", "IMMUTABLE"] = "MUTABLE"
    image_scanning_configuration: ImageScanningConfiguration = ImageScanningConfiguration()
    encryption_configuration: EncryptionConfiguration = EncryptionConfiguration()

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterator[str]:
        tags = values.get("tags")
        keys = [str(tag.get("key")) for tag in tags if isinstance(tag, dict)] if isinstance(tags, tuple) else []
        if duplicates := {key for key in keys if keys.count(key) > 1}:
            yield f"tags: the key {min(duplicates)!r} is set twice"


class AwsRegistry(RegistryConnection):
    """An ECR registry, as a source."""

    account_id: AccountId
    region: Region
    role: Role | None = Field(default=None, description="Role to assume, for a registry of another account.")

    @property
    def host(self) -> str:
        return ecr_host(self.account_id, self.region)

    @property
    def hosts(self) -> tuple[str, ...]:
        """All names of this registry's host."""
        return tuple(ecr_hosts(self.account_id, self.region).values())


class AwsTarget(AwsRegistry):
    prefix: str = ""
    hostname: EcrKind = Field(default="standard", description="Which of the host names of ECR is used.")
    create_repository: bool = True
    reconcile: Literal["none", "report", "apply"] = Field(
        default="report", description="What happens when an existing repository's settings differ from ecrOptions."
    )
    ecr_options: EcrOptions = EcrOptions()
    own_access_policy: Policy | None = Field(default=None, alias="accessPolicy")
    own_lifecycle_policy: Policy | None = Field(default=None, alias="lifecyclePolicy")

    @property
    def access_policy(self) -> str | None:
        """The access policy for new repositories, from either key of the file."""
        return self.own_access_policy or self.ecr_options.access_policy

    @property
    def lifecycle_policy(self) -> str | None:
        return self.own_lifecycle_policy or self.ecr_options.lifecycle_policy

    @property
    def name(self) -> TargetName:
        return target_name(ecr_hosts(self.account_id, self.region)[self.hostname], self.prefix)

    @classmethod
    def conflicts(cls, values: Mapping[str, Any]) -> Iterator[str]:
        options = values.get("ecrOptions")
        for key in ("accessPolicy", "lifecyclePolicy"):
            if key in values and isinstance(options, dict) and key in options:
                yield f"{key} is set here and under ecrOptions; keep one"
        yield from prefix_problems(values, ECR_MAX_REPOSITORY)

    @model_validator(mode="after")
    def _warn_of_expiry(self, info: ValidationInfo) -> Self:
        warnings: list[str] = (info.context or {}).get("warnings", [])
        for number in _counting_rules(self.lifecycle_policy):
            warnings.append(
                f"lifecyclePolicy: rule {number} expires images by their number (imageCountMoreThan), in use or not: "
                "pods that start after that can't pull them. Count untagged images only, or expire by age "
                "(sinceImagePushed)"
            )
        return self


def _counting_rules(policy: str | None) -> Iterator[Any]:
    """Yield the priorities of rules that could expire images which pods run: rules that count tagged images."""
    rules = json.loads(policy).get("rules") if policy else None
    for rule in rules if isinstance(rules, list) else ():
        selection = rule.get("selection") if isinstance(rule, dict) else None
        if not isinstance(selection, dict) or selection.get("countType") != "imageCountMoreThan":
            continue
        if selection.get("tagStatus") != "untagged":
            yield rule.get("rulePriority")
