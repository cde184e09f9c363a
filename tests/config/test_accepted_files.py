"""Files of users of the earlier tool are accepted with any spelling, with a warning for a key that has no effect."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from swapper_project import config
from swapper_project.config import Config
from tests.config import examples

MINIMAL = examples.GCP


@pytest.mark.parametrize("text", examples.ALL)
def test_existing_files_load_unchanged(text: str) -> None:
    assert isinstance(config.parse(text), Config)


@pytest.mark.parametrize("where", ["aws", "ecrOptions"])
def test_policies_are_accepted_in_either_section(where: str) -> None:
    policies: dict[str, Any] = {"accessPolicy": '{"a": 1}', "lifecyclePolicy": '{"b": 2}'}
    aws: dict[str, Any] = {"accountId": "123456789012", "region": "eu-central-1"}
    aws.update({"ecrOptions": policies} if where == "ecrOptions" else policies)
    loaded = config.parse(json.dumps({"target": {"aws": aws}})).target.aws
    assert loaded is not None
    assert (loaded.access_policy, loaded.lifecycle_policy) == ('{"a": 1}', '{"b": 2}')


def test_keys_are_case_insensitive() -> None:
    loaded = config.parse("ImageSwapPolicy: always\nDRYRUN: false\n" + MINIMAL.replace("projectId", "PROJECTID"))
    assert loaded.image_swap_policy == "always"
    assert loaded.dry_run is False
    assert loaded.digest == config.parse("imageSwapPolicy: always\ndryRun: false\n" + MINIMAL).digest


def test_a_key_without_a_value_counts_as_unset() -> None:
    assert config.parse("source:\n  filters:\nlogLevel:\n" + MINIMAL).digest == config.parse(MINIMAL).digest


@pytest.mark.parametrize(
    "aws",
    ["aws: {accountId: 12, region: nowhere, unknown: x}", "aws: text", "AWS: {accountId: 1}", "aws: {a: 1, A: 2}"],
)
def test_a_section_of_another_target_is_ignored(aws: str) -> None:
    assert config.parse(MINIMAL + f"  {aws}\n").digest == config.parse(MINIMAL).digest


@pytest.mark.parametrize(
    ("written", "read", "warning"),
    [
        ('"123456789012"', "123456789012", None),
        ("123456789012", "123456789012", None),
        ("123456789", "000123456789", "interpreted as 000123456789"),
        ("012345670123", "012345670123", None),
        ("1.23456789012e+11", "123456789012", None),
        ('"12345678"', "12345678", "placeholder"),
        ("12345678", "12345678", "placeholder"),
    ],
)
def test_account_ids_written_as_numbers_recover_their_digits(written: str, read: str, warning: str | None) -> None:
    loaded = config.parse(f"target: {{aws: {{accountId: {written}, region: eu-central-1}}}}")
    assert loaded.target.aws is not None
    assert loaded.target.aws.account_id == read
    assert (warning is None) == (loaded.warnings == ())
    assert warning is None or warning in loaded.warnings[0]


AWS = "accountId: '123456789012', region: eu-central-1"


@pytest.mark.parametrize("written", ["type: ''", "type:", "type: aws", ""])
def test_an_empty_target_type_defaults_to_aws(written: str) -> None:
    loaded = config.parse(f"target:\n  {written}\n  aws: {{{AWS}}}\n")
    assert loaded.target.aws is not None
    assert loaded.target.aws.account_id == "123456789012"


@pytest.mark.parametrize(
    ("text", "read", "warning"),
    [
        ("imageCopyDeadline: 30s\n", ("imageCopyDeadline", "29s"), "imageCopyDeadline: 30s is longer than Kubernetes"),
        ("imageCopyDeadline: 1h\n", ("imageCopyDeadline", "29s"), "imageCopyDeadline: 1h is longer"),
        ("imageCopyDeadline: 29s\n", ("imageCopyDeadline", "29s"), ""),
        ("logLevel: ''\nlistenAddress: ''\ntlsCertFile: ''\ntlsKeyFile: ''\n", ("logLevel", "info"), ""),
        (
            "source: {filters: [{jmespath: '`true`'}, {jmespath: 'obj.metadata.namespace == \"kube-system\"'}]}\n",
            ("dryRun", True),
            'source.filters[1].jmespath: "kube-system" in double quotes is the name of a field',
        ),
        (
            f"source: {{registries: [{{type: aws, aws: {{{AWS}, ecrOptions: {{tags: []}}}}}}]}}\n",
            ("dryRun", True),
            "source.registries[0].aws.ecrOptions: is for the target only, and ignored here",
        ),
    ],
)
def test_files_accepted_by_the_earlier_tool_load(text: str, read: tuple[str, object], warning: str) -> None:
    loaded = config.parse(text + MINIMAL)
    assert loaded.effective()[read[0]] == read[1]
    assert len(loaded.warnings) == bool(warning)
    assert "".join(loaded.warnings).startswith(warning)


@pytest.mark.parametrize("encryption", ["{encryptionType: AES256, kmsKey: alias/a}", "{kmsKey: alias/a}"])
def test_a_kms_key_with_aes256_is_ignored_with_a_warning(encryption: str) -> None:
    options = f"{{tags: [{{key: 0123, value: 1.50}}, {{key: b, value: ''}}], encryptionConfiguration: {encryption}}}"
    loaded = config.parse(f"target: {{aws: {{{AWS}, role: '', accessPolicy: '', ecrOptions: {options}}}}}")
    assert loaded.target.aws is not None
    chosen = loaded.target.aws.ecr_options
    assert (chosen.encryption_configuration.encryption_type, chosen.encryption_configuration.kms_key) == (
        "AES256",
        None,
    )
    assert [(tag.key, tag.value) for tag in chosen.tags] == [("0123", "1.5"), ("b", "")]
    assert (loaded.target.aws.role, loaded.target.aws.access_policy) == (None, None)
    [warning] = loaded.warnings
    assert "kmsKey is ignored" in warning


def test_a_file_with_windows_encoding_and_line_endings_loads(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    for encoding in ("utf-8-sig", "utf-16"):
        file.write_bytes(MINIMAL.replace("\n", "\r\n").encode(encoding))
        assert config.load(file).digest == config.parse(MINIMAL).digest


@pytest.mark.parametrize(("tag_status", "warns"), [("any", True), ("tagged", True), ("untagged", False)])
def test_lifecycle_rules_that_count_tagged_images_produce_a_warning(tag_status: str, warns: bool) -> None:
    text = examples.LIFECYCLE_POLICY.replace('"tagStatus": "any"', f'"tagStatus": "{tag_status}"')
    warnings = config.parse(text).warnings
    assert any("imageCountMoreThan" in warning for warning in warnings) is warns
