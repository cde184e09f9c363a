"""The settings of an ECR repository: the configured ones, the current ones, and their differences. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mirrors.registries.registry_driver import Difference
from swapper_project.config import AwsTarget

UNREADABLE_TEXT = "can't be read"
_ROOT = re.compile(r"^arn:[a-z-]+:iam::([0-9]{12}):root$")


@dataclass(frozen=True, slots=True)
class CurrentSettings:
    """The current settings of a repository. Policies and tags are read only if they are configured. ``problems`` has
    the reason for each setting that can't be read."""

    mutability: str
    scan_on_push: bool
    encryption: str
    kms_key: str = ""
    access_policy: str | None = None
    lifecycle_policy: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)

    def facts(self) -> dict[str, Any]:
        """Return the settings that are displayed to users."""
        key = f" with {self.kms_key}" if self.kms_key else ""
        return {
            "imageTagMutability": self.mutability,
            "imageScanOnPush": self.scan_on_push,
            "encryption": f"{self.encryption}{key}",
        }


def creation_parameters(target: AwsTarget, repository: str) -> dict[str, Any]:
    """Return the parameters of CreateRepository. Tags are sent only if configured: they need a separate permission."""
    options = target.ecr_options
    encryption: dict[str, str] = {"encryptionType": options.encryption_configuration.encryption_type}
    if options.encryption_configuration.kms_key:
        encryption["kmsKey"] = options.encryption_configuration.kms_key
    parameters: dict[str, Any] = {
        "registryId": target.account_id,
        "repositoryName": repository,
        "imageTagMutability": options.image_tag_mutability,
        "imageScanningConfiguration": {"scanOnPush": options.image_scanning_configuration.image_scan_on_push},
        "encryptionConfiguration": encryption,
    }
    if options.tags:
        parameters["tags"] = configured_tags(target)
    return parameters


def configured_tags(target: AwsTarget) -> list[dict[str, str]]:
    return [{"Key": tag.key, "Value": tag.value} for tag in target.ecr_options.tags]


def differences(target: AwsTarget, current: CurrentSettings) -> tuple[Difference, ...]:
    return tuple(_differences(target, current))


def _differences(target: AwsTarget, current: CurrentSettings) -> Iterator[Difference]:
    options = target.ecr_options
    if current.mutability != options.image_tag_mutability:
        yield Difference("imageTagMutability", options.image_tag_mutability, current.mutability)
    configured_scan = options.image_scanning_configuration.image_scan_on_push
    if current.scan_on_push != configured_scan:
        yield Difference("imageScanOnPush", str(configured_scan).lower(), str(current.scan_on_push).lower())
    encryption = options.encryption_configuration
    if (current.encryption, encryption.kms_key or current.kms_key) != (encryption.encryption_type, current.kms_key):
        configured = " ".join(filter(None, (encryption.encryption_type, encryption.kms_key)))
        actual = " ".join(filter(None, (current.encryption, current.kms_key)))
        yield Difference(
            "encryptionConfiguration",
            configured,
            actual,
            "cannot be changed after the repository is created: create it again",
        )
    yield from _policy_difference("accessPolicy", target.access_policy, current.access_policy, current.problems)
    yield from _policy_difference(
        "lifecyclePolicy", target.lifecycle_policy, current.lifecycle_policy, current.problems
    )
    if options.tags and (problem := current.problems.get("tags")):
        yield Difference("tags", _show({tag.key: tag.value for tag in options.tags}), UNREADABLE_TEXT, problem)
        return
    missing = {tag.key: tag.value for tag in options.tags if current.tags.get(tag.key) != tag.value}
    if missing:
        yield Difference("tags", _show(missing), _show({key: current.tags.get(key) for key in missing}))


def _policy_difference(
    setting: str, configured: str | None, current: str | None, problems: Mapping[str, str]
) -> Iterator[Difference]:
    if configured is None:
        return
    if setting in problems:
        yield Difference(setting, configured, UNREADABLE_TEXT, problems[setting])
    elif current is None or _canonical(json.loads(configured)) != _canonical(json.loads(current)):
        yield Difference(setting, configured, current or "")


def _canonical(value: Any) -> Any:
    """Return a form in which equivalent policies are equal: AWS writes a list of one item as the item, and reorders
    lists."""
    if isinstance(value, dict):
        return {key: _canonical(inner) for key, inner in value.items()}
    if isinstance(value, list):
        items = sorted((_canonical(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
        return items[0] if len(items) == 1 else items
    # AWS writes an account ID as the ARN of the account's root user.
    return _ROOT.sub(r"\1", value) if isinstance(value, str) else value


def _show(value: Mapping[str, Any]) -> str:
    return json.dumps(value, sort_keys=True)
