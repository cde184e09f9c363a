"""Calls of ECR's API that read, create and configure repositories. Errors name the missing permission."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from botocore.exceptions import ClientError

from mirrors.images.cloud_hosts import ecr_arn
from mirrors.oci import RegistryError
from mirrors.registries.aws import repository_settings
from mirrors.registries.aws.accounts import AwsAccount, client
from mirrors.registries.aws.aws_errors import AwsCall, code_of, translate_aws_errors
from mirrors.registries.registry_driver import Difference
from swapper_project.config import AwsTarget

if TYPE_CHECKING:
    from types_boto3_ecr.client import ECRClient
    from types_boto3_ecr.type_defs import RepositoryTypeDef

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Repositories:
    """The repositories of one registry. Every method raises RegistryError."""

    target: AwsTarget
    account: AwsAccount

    def describe(self, repository: str) -> RepositoryTypeDef | None:
        """Return the repository, or None if it does not exist."""
        try:
            with self._client_for(repository) as ecr:
                response = ecr.describe_repositories(registryId=self.target.account_id, repositoryNames=[repository])
                return response["repositories"][0]
        except _MissingError:
            return None

    def create(self, repository: str) -> bool:
        """Create the repository. Return False if another process has created it in the meantime."""
        try:
            with self._client_for(repository) as ecr:
                ecr.create_repository(**repository_settings.creation_parameters(self.target, repository))
                return True
        except _ExistsError:
            return False

    def set_up(self, repository: str) -> None:
        """Set the policies, which CreateRepository does not accept."""
        if self.target.access_policy:
            self._set_access_policy(repository)
        if self.target.lifecycle_policy:
            self._set_lifecycle_policy(repository)

    def read_settings(self, repository: str, described: RepositoryTypeDef) -> repository_settings.CurrentSettings:
        """Return the current settings. A setting without permission to read it is recorded in ``problems``."""
        encryption = described.get("encryptionConfiguration", {})
        problems: dict[str, str] = {}
        target = self.target
        access = self._read_if_configured(
            problems, "accessPolicy", target.access_policy, self._access_policy, repository
        )
        cycle = self._read_if_configured(
            problems, "lifecyclePolicy", target.lifecycle_policy, self._lifecycle_policy, repository
        )
        tags = self._read_if_configured(
            problems, "tags", target.ecr_options.tags, self._tags, described["repositoryArn"]
        )
        return repository_settings.CurrentSettings(
            mutability=described["imageTagMutability"],
            scan_on_push=described.get("imageScanningConfiguration", {}).get("scanOnPush", False),
            encryption=encryption.get("encryptionType", "AES256"),
            kms_key=encryption.get("kmsKey", ""),
            access_policy=access,
            lifecycle_policy=cycle,
            tags=tags or {},
            problems=problems,
        )

    def apply(self, repository: str, arn: str, difference: Difference) -> None:
        """Set one setting to its configured value."""
        registry, options = self.target.account_id, self.target.ecr_options
        with self._client_for(repository) as ecr:
            match difference.setting:
                case "accessPolicy":
                    self._set_access_policy(repository)
                case "lifecyclePolicy":
                    self._set_lifecycle_policy(repository)
                case "imageTagMutability":
                    ecr.put_image_tag_mutability(
                        registryId=registry,
                        repositoryName=repository,
                        imageTagMutability=options.image_tag_mutability,
                    )
                case "imageScanOnPush":
                    scan = options.image_scanning_configuration.image_scan_on_push
                    ecr.put_image_scanning_configuration(
                        registryId=registry,
                        repositoryName=repository,
                        imageScanningConfiguration={"scanOnPush": scan},
                    )
                case "tags":
                    tags: Any = repository_settings.configured_tags(self.target)
                    ecr.tag_resource(resourceArn=arn, tags=tags)

    def pull_through_prefixes(self) -> frozenset[str]:
        """Return the prefixes of pull-through cache rules; none without permission, because it is optional."""
        try:
            with self._client_for("*") as ecr:
                pages = ecr.get_paginator("describe_pull_through_cache_rules").paginate(
                    registryId=self.target.account_id
                )
                rules = [rule for page in pages for rule in page.get("pullThroughCacheRules", [])]
        except RegistryError as error:
            if error.permanent:
                log.info("Pull-through cache rules cannot be read; assuming that there are none", error=str(error))
                return frozenset()
            raise
        return frozenset(rule["ecrRepositoryPrefix"] for rule in rules if "ecrRepositoryPrefix" in rule)

    def _set_access_policy(self, repository: str) -> None:
        with self._client_for(repository) as ecr:
            ecr.set_repository_policy(
                registryId=self.target.account_id,
                repositoryName=repository,
                policyText=self.target.access_policy or "",
            )

    def _set_lifecycle_policy(self, repository: str) -> None:
        with self._client_for(repository) as ecr:
            ecr.put_lifecycle_policy(
                registryId=self.target.account_id,
                repositoryName=repository,
                lifecyclePolicyText=self.target.lifecycle_policy or "",
            )

    def _access_policy(self, repository: str) -> str | None:
        with self._client_for(repository) as ecr:
            response = ecr.get_repository_policy(registryId=self.target.account_id, repositoryName=repository)
            return response["policyText"]

    def _lifecycle_policy(self, repository: str) -> str | None:
        with self._client_for(repository) as ecr:
            response = ecr.get_lifecycle_policy(registryId=self.target.account_id, repositoryName=repository)
            return response["lifecyclePolicyText"]

    def _tags(self, arn: str) -> dict[str, str]:
        with self._client_for(arn.rpartition(":repository/")[2]) as ecr:
            tags = ecr.list_tags_for_resource(resourceArn=arn)["tags"]
            return {tag["Key"]: tag["Value"] for tag in tags}

    def _read_if_configured(
        self, problems: dict[str, str], setting: str, configured: object, read: Callable[[str], Any], name: str
    ) -> Any:
        """Return the setting, or None if it is not configured, does not exist, or cannot be read."""
        if not configured:
            return None
        try:
            return read(name)
        except _MissingError:
            return None
        except RegistryError as error:
            if not error.permanent:
                raise
            problems[setting] = str(error)
            return None

    @contextmanager
    def _client_for(self, repository: str) -> Iterator[ECRClient]:
        target = self.target
        call = AwsCall(
            host=target.name.endpoint,
            arn=ecr_arn(target.account_id, target.region, repository),
            region=target.region,
            role=target.role,
            kms_key=target.ecr_options.encryption_configuration.kms_key,
        )
        with translate_aws_errors(call):
            try:
                yield client(self.account)
            except ClientError as error:
                if code_of(error) == "RepositoryAlreadyExistsException":
                    raise _ExistsError from None
                if code_of(error) in _NOT_FOUND_CODES:
                    raise _MissingError from None
                raise


_NOT_FOUND_CODES = frozenset(
    {"RepositoryNotFoundException", "RepositoryPolicyNotFoundException", "LifecyclePolicyNotFoundException"}
)


class _MissingError(Exception):
    """The repository or policy does not exist."""


class _ExistsError(Exception):
    """The repository exists already."""
