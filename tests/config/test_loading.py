"""What loads: the files that users have, in any spelling, with defaults, flags and warnings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from mirrors.images import ImageRef, TargetName
from swapper_project import config
from swapper_project.config import Config, ConfigError
from tests.config import examples

MINIMAL = examples.GCP


@pytest.mark.parametrize("text", examples.ALL)
def test_existing_files_load_as_they_stand(text: str) -> None:
    assert isinstance(config.parse(text), Config)


@pytest.mark.parametrize("text", examples.ALL)
def test_the_effective_configuration_reads_back_as_the_same(text: str) -> None:
    loaded = config.parse(text)
    again = config.parse(yaml.safe_dump(loaded.effective()))
    assert again.effective() == loaded.effective()
    assert again.digest == loaded.digest


def test_keys_that_are_not_given_have_their_defaults() -> None:
    loaded = config.parse(MINIMAL)
    assert loaded.dry_run is True
    assert (loaded.log_level, loaded.log_format, loaded.listen_address) == ("info", "json", ":8443")
    assert (loaded.image_swap_policy, loaded.image_copy_policy, loaded.image_copy_deadline) == (
        "exists",
        "delayed",
        8.0,
    )
    assert (loaded.existence.max_age, loaded.existence.max_stale, loaded.refresh_age) == (600.0, 86400.0, 86400.0)
    assert (loaded.referrers, loaded.private_images, loaded.opt_out, loaded.on_error) == (
        "signatures",
        "guard",
        "pods",
        "allow",
    )
    assert (loaded.annotate, loaded.platforms, loaded.trusted_ca) == (True, (), None)
    assert (loaded.quotas.new_images_per_hour, loaded.quotas.pending_jobs) == (200, 100)
    assert (loaded.copy_.images, loaded.copy_.blobs, loaded.copy_.max_image_bytes) == (8, 16, 20 * 1024**3)
    assert (loaded.source.registries, loaded.source.filters, loaded.source.allowed_hosts) == ((), (), ())
    assert (loaded.tls_cert_file, loaded.tls_key_file, loaded.warnings, loaded.overridden) == (None, None, (), ())


def test_a_target_of_aws_is_the_default_with_its_ecr_options() -> None:
    loaded = config.parse("target: {aws: {accountId: '123456789012', region: eu-central-1}}")
    aws = loaded.target.aws
    assert loaded.target.type == "aws"
    assert aws is not None
    assert (aws.create_repository, aws.reconcile, aws.hostname, aws.prefix) == (True, "report", "standard", "")
    assert (aws.ecr_options.image_tag_mutability, aws.ecr_options.tags) == ("MUTABLE", ())
    assert aws.ecr_options.image_scanning_configuration.image_scan_on_push is True
    assert aws.ecr_options.encryption_configuration.encryption_type == "AES256"
    assert (aws.access_policy, aws.lifecycle_policy) == (None, None)


def test_every_value_of_a_file_arrives() -> None:
    loaded = config.parse(examples.OCI)
    assert loaded.target.oci is not None
    assert loaded.target.name == TargetName("registry.internal:5000", "mirror")
    assert (loaded.target.oci.username, loaded.target.oci.password_file) == ("pusher", "registry-password")
    assert loaded.target.aws is None
    [hub] = loaded.source.registries
    assert (hub.type, hub.host, hub.registry_host, hub.password_env) == (
        "oci",
        "docker.io",
        "docker.io",
        "SWAPPER_CRED_HUB",
    )
    assert hub.namespaces == ("shop", "*")
    assert hub.serves_all_namespaces
    assert loaded.source.allowed_hosts == ("docker.io", "*.example.com", "ghcr.io")
    assert loaded.platforms == ("linux/amd64", "linux/arm/v7")
    assert (loaded.existence.max_age, loaded.existence.max_stale) == (300.0, 5400.0)
    assert loaded.copy_.max_image_bytes == 512 * 1024**2
    assert loaded.trusted_ca == "/etc/ssl/proxy.pem"


def test_source_registries_of_the_clouds_have_their_hosts() -> None:
    ecr, gar = config.parse(examples.FULL_AWS).source.registries
    assert ecr.registry_host == "000123456789.dkr.ecr.ap-southeast-2.amazonaws.com"
    assert gar.registry_host == "us-central1-docker.pkg.dev"
    assert ecr.serves_all_namespaces and gar.serves_all_namespaces


@pytest.mark.parametrize("where", ["aws", "ecrOptions"])
def test_policies_may_stand_in_either_place(where: str) -> None:
    policies: dict[str, Any] = {"accessPolicy": '{"a": 1}', "lifecyclePolicy": '{"b": 2}'}
    aws: dict[str, Any] = {"accountId": "123456789012", "region": "eu-central-1"}
    aws.update({"ecrOptions": policies} if where == "ecrOptions" else policies)
    loaded = config.parse(json.dumps({"target": {"aws": aws}})).target.aws
    assert loaded is not None
    assert (loaded.access_policy, loaded.lifecycle_policy) == ('{"a": 1}', '{"b": 2}')


def test_keys_match_in_any_case_of_letters() -> None:
    loaded = config.parse("ImageSwapPolicy: always\nDRYRUN: false\n" + MINIMAL.replace("projectId", "PROJECTID"))
    assert loaded.image_swap_policy == "always"
    assert loaded.dry_run is False
    assert loaded.digest == config.parse("imageSwapPolicy: always\ndryRun: false\n" + MINIMAL).digest


def test_a_key_without_a_value_counts_as_not_given() -> None:
    assert config.parse("source:\n  filters:\nlogLevel:\n" + MINIMAL).digest == config.parse(MINIMAL).digest


@pytest.mark.parametrize(
    "aws",
    ["aws: {accountId: 12, region: nowhere, unknown: x}", "aws: text", "AWS: {accountId: 1}", "aws: {a: 1, A: 2}"],
)
def test_a_section_of_another_target_is_ignored(aws: str) -> None:
    assert config.parse(MINIMAL + f"  {aws}\n").digest == config.parse(MINIMAL).digest


@pytest.mark.parametrize(
    ("text", "endpoint", "prefix", "longest"),
    [
        (examples.TERRAFORM, "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com", "", 256),
        (examples.FULL_AWS, "123456789012.dkr.ecr.ap-southeast-2.amazonaws.com", "mirror", 256),
        (examples.GCP, "us-central1-docker.pkg.dev", "gcp-project-123/main", 255),
        (
            examples.GCP.replace("gcp-project", "example.com:gcp-project"),
            "us-central1-docker.pkg.dev",
            "example.com/gcp-project-123/main",
            255,
        ),
        (
            examples.TERRAFORM.replace("ap-southeast-1", "cn-north-1"),
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
            "",
            256,
        ),
    ],
)
def test_the_target_gets_its_name(text: str, endpoint: str, prefix: str, longest: int) -> None:
    name = config.parse(text).target.name
    assert (name.endpoint, name.prefix, name.max_repository) == (endpoint, prefix, longest)


@pytest.mark.parametrize(
    ("hostname", "host"),
    [
        ("standard", "123456789012.dkr.ecr.us-east-1.amazonaws.com"),
        ("fips", "123456789012.dkr.ecr-fips.us-east-1.amazonaws.com"),
        ("dualstack", "123456789012.dkr-ecr.us-east-1.on.aws"),
        ("fips-dualstack", "123456789012.dkr-ecr-fips.us-east-1.on.aws"),
    ],
)
def test_all_host_names_of_ecr_are_the_same_target(hostname: str, host: str) -> None:
    aws = f"{{accountId: '123456789012', region: us-east-1, prefix: m, hostname: {hostname}}}"
    name = config.parse(f"target: {{aws: {aws}}}").target.name
    assert name.endpoint == host
    for service in (
        "dkr.ecr.us-east-1.amazonaws.com",
        "dkr-ecr.us-east-1.on.aws",
        "dkr.ecr-fips.us-east-1.amazonaws.com",
    ):
        assert name.contains(ImageRef.parse(f"123456789012.{service}/m/app"))
        assert not name.contains(ImageRef.parse(f"999999999999.{service}/m/app"))


@pytest.mark.parametrize(
    ("written", "read", "warning"),
    [
        ('"123456789012"', "123456789012", None),
        ("123456789012", "123456789012", None),
        ("123456789", "000123456789", "taken as 000123456789"),
        ("012345670123", "012345670123", None),
        ("1.23456789012e+11", "123456789012", None),
        ('"12345678"', "12345678", "placeholder"),
        ("12345678", "12345678", "placeholder"),
    ],
)
def test_account_numbers_get_their_digits_back(written: str, read: str, warning: str | None) -> None:
    loaded = config.parse(f"target: {{aws: {{accountId: {written}, region: eu-central-1}}}}")
    assert loaded.target.aws is not None
    assert loaded.target.aws.account_id == read
    assert (warning is None) == (loaded.warnings == ())
    assert warning is None or warning in loaded.warnings[0]


AWS = "accountId: '123456789012', region: eu-central-1"


@pytest.mark.parametrize(
    ("text", "read", "warning"),
    [
        ("imageCopyDeadline: 30s\n", ("imageCopyDeadline", "29s"), "imageCopyDeadline: 30s is longer than Kubernetes"),
        ("imageCopyDeadline: 1h\n", ("imageCopyDeadline", "29s"), "imageCopyDeadline: 1h is longer"),
        ("imageCopyDeadline: 29s\n", ("imageCopyDeadline", "29s"), ""),
        ("logLevel: ''\nlistenAddress: ''\ntlsCertFile: ''\ntlsKeyFile: ''\n", ("logLevel", "info"), ""),
        (
            "source: {filters: [{jmespath: 'a == `1`'}, {jmespath: 'obj.metadata.namespace == \"kube-system\"'}]}\n",
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
def test_files_that_the_earlier_tool_accepts_load(text: str, read: tuple[str, object], warning: str) -> None:
    loaded = config.parse(text + MINIMAL)
    assert loaded.effective()[read[0]] == read[1]
    assert len(loaded.warnings) == bool(warning)
    assert "".join(loaded.warnings).startswith(warning)


@pytest.mark.parametrize("encryption", ["{encryptionType: AES256, kmsKey: alias/a}", "{kmsKey: alias/a}"])
def test_a_key_beside_aes256_is_ignored_with_a_warning(encryption: str) -> None:
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


def test_a_file_of_windows_loads(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    for encoding in ("utf-8-sig", "utf-16"):
        file.write_bytes(MINIMAL.replace("\n", "\r\n").encode(encoding))
        assert config.load(file).digest == config.parse(MINIMAL).digest


def test_explicit_flags_beat_the_file_and_are_named() -> None:
    loaded = config.parse(
        "dryRun: true\nlogLevel: info\n" + MINIMAL,
        overrides={
            "dryRun": False,
            "loglevel": "info",
            "listenAddress": ":9443",
            "tlsCertFile": None,
            "target.gcp.location": "us",
        },
    )
    assert (loaded.dry_run, loaded.log_level, loaded.listen_address) == (False, "info", ":9443")
    assert loaded.target.name.endpoint == "us-docker.pkg.dev"
    assert loaded.overridden == ("dryRun", "target.gcp.location")


def test_a_flag_may_choose_another_target_of_the_file() -> None:
    loaded = config.parse(examples.CHART_WITH_GCP, overrides={"target.type": "aws"})
    assert loaded.target.name.endpoint == "12345678.dkr.ecr.ap-southeast-2.amazonaws.com"
    assert loaded.overridden == ("target.type",)


def test_a_bad_flag_is_named_as_a_flag() -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(MINIMAL, overrides={"logLevel": "loud", "drRun": True})
    assert "logLevel, given by a flag: must be 'trace'" in str(caught.value)
    assert "drRun, given by a flag: is an unknown key; did you mean dryRun?" in str(caught.value)


def test_a_configuration_is_immutable() -> None:
    loaded = config.parse(MINIMAL)
    with pytest.raises(ValueError, match="frozen"):
        loaded.dry_run = False  # type: ignore[misc]


def test_the_digest_goes_by_meaning() -> None:
    assert config.parse(MINIMAL).digest == config.parse("# note\n" + MINIMAL + "\ndryRun: true").digest
    assert config.parse(MINIMAL).digest != config.parse(MINIMAL + "\ndryRun: false").digest


def test_a_file_is_found_by_flag_then_at_home_then_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home, here = tmp_path / "home", tmp_path / "here"
    home.mkdir()
    here.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(here)
    assert config.find(None) is None
    local = here / ".k8s-image-swapper.yaml"
    local.write_text(MINIMAL)
    assert config.find(None) == local
    personal = home / ".k8s-image-swapper.yaml"
    personal.write_text(MINIMAL)
    assert config.find(None) == personal
    assert config.find("elsewhere.yaml") == Path("elsewhere.yaml")
    assert config.load(personal).target.type == "gcp"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml: the configuration file can't be read: No such file"):
        config.load(tmp_path / "missing.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"dryRun: true\nx: \xff\n")
    with pytest.raises(ConfigError, match=r"binary\.yaml:2: the file is not UTF-8 text: save it as UTF-8"):
        config.load(binary)
    bom = tmp_path / "bom.yaml"
    bom.write_bytes(b"\xef\xbb\xbf" + MINIMAL.encode())
    assert config.load(bom).target.type == "gcp"


def test_the_schema_is_drawn_from_the_models() -> None:
    schema = config.schema()
    assert schema["additionalProperties"] is False
    assert {"dryRun", "imageCopyDeadline", "trustedCA", "copy", "target"} <= schema["properties"].keys()
    assert schema["required"] == ["target"]
    assert schema["properties"]["imageCopyDeadline"]["type"] == "string"
    assert "SWAPPER_CRED_" in json.dumps(schema)


@pytest.mark.parametrize(("tag_status", "warns"), [("any", True), ("tagged", True), ("untagged", False)])
def test_a_lifecycle_rule_that_counts_images_in_use_is_warned_of(tag_status: str, warns: bool) -> None:
    text = examples.LIFECYCLE_POLICY.replace('"tagStatus": "any"', f'"tagStatus": "{tag_status}"')
    warnings = config.parse(text).warnings
    assert any("imageCountMoreThan" in warning for warning in warnings) is warns
