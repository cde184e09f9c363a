"""The settings of an ECR repository: the configured ones, the current ones, and their differences. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mirrors.registries.registry_driver import Difference
from swapper_project.config import AwsTarget

UNREADABLE_WORDS = "can't be read"
_ROOT = re.compile(r"^arn:[a-z-]+:iam::([0-9]{12}):root$")


@dataclass(frozen=True, slots=True)
class FoundSettings:
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


def creation(target: AwsTarget, repository: str) -> dict[str, Any]:
    """Return the parameters of CreateRepository. Tags are sent only if configured: they need a separate permission."""
    options = target.ecr_options
    encryption: dict[str, str] = {"encryptionType": options.encryption_configuration.encryption_type}
    if options.encryption_configuration.kms_key:
        encryption["kmsKey"] = options.encryption_configuration.kms_key
    wanted: dict[str, Any] = {
        "registryId": target.account_id,
        "repositoryName": repository,
        "imageTagMutability": options.image_tag_mutability,
        "imageScanningConfiguration": {"scanOnPush": options.image_scanning_configuration.image_scan_on_push},
        "encryptionConfiguration": encryption,
    }
    if options.tags:
        wanted["tags"] = wanted_tags(target)
    return wanted


def wanted_tags(target: AwsTarget) -> list[dict[str, str]]:
    return [{"Key": tag.key, "Value": tag.value} for tag in target.ecr_options.tags]


def differences(target: AwsTarget, found: FoundSettings) -> tuple[Difference, ...]:
    return tuple(_differences(target, found))


def _differences(target: AwsTarget, found: FoundSettings) -> Iterator[Difference]:
    options = target.ecr_options
    if found.mutability != options.image_tag_mutability:
        yield Difference("imageTagMutability", options.image_tag_mutability, found.mutability)
    wanted_scan = options.image_scanning_configuration.image_scan_on_push
    if found.scan_on_push != wanted_scan:
        yield Difference("imageScanOnPush", str(wanted_scan).lower(), str(found.scan_on_push).lower())
    encryption = options.encryption_configuration
    if (found.encryption, encryption.kms_key or found.kms_key) != (encryption.encryption_type, found.kms_key):
        wanted = " ".join(filter(None, (encryption.encryption_type, encryption.kms_key)))
        has = " ".join(filter(None, (found.encryption, found.kms_key)))
        yield Difference(
            "encryptionConfiguration", wanted, has, "cannot be changed after the repository is created: create it again"
        )
    yield from _policy_difference("accessPolicy", target.access_policy, found.access_policy, found.problems)
    yield from _policy_difference("lifecyclePolicy", target.lifecycle_policy, found.lifecycle_policy, found.problems)
    if options.tags and (problem := found.problems.get("tags")):
        yield Difference("tags", _show({tag.key: tag.value for tag in options.tags}), UNREADABLE_WORDS, problem)
        return
    missing = {tag.key: tag.value for tag in options.tags if found.tags.get(tag.key) != tag.value}
    if missing:
        yield Difference("tags", _show(missing), _show({key: found.tags.get(key) for key in missing}))


def _policy_difference(
    setting: str, wanted: str | None, found: str | None, problems: Mapping[str, str]
) -> Iterator[Difference]:
    if wanted is None:
        return
    if setting in problems:
        yield Difference(setting, wanted, UNREADABLE_WORDS, problems[setting])
    elif found is None or _canonical(json.loads(wanted)) != _canonical(json.loads(found)):
        yield Difference(setting, wanted, found or "")


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
