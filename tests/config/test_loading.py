"""The result of loading a file: defaults, values, the name of the target, flags, and the paths that are searched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from mirrors.images import ImageRef, TargetName
from swapper_project import config
from swapper_project.config import ConfigError
from tests.config import examples

MINIMAL = examples.GCP


@pytest.mark.parametrize("text", examples.ALL)
def test_the_effective_configuration_round_trips(text: str) -> None:
    loaded = config.parse(text)
    again = config.parse(yaml.safe_dump(loaded.effective()))
    assert again.effective() == loaded.effective()
    assert again.digest == loaded.digest


def test_unset_keys_have_their_defaults() -> None:
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


def test_the_default_target_is_aws_with_default_ecr_options() -> None:
    loaded = config.parse("target: {aws: {accountId: '123456789012', region: eu-central-1}}")
    aws = loaded.target.aws
    assert loaded.target.type == "aws"
    assert aws is not None
    assert (aws.create_repository, aws.reconcile, aws.hostname, aws.prefix) == (True, "report", "standard", "")
    assert (aws.ecr_options.image_tag_mutability, aws.ecr_options.tags) == ("MUTABLE", ())
    assert aws.ecr_options.image_scanning_configuration.image_scan_on_push is True
    assert aws.ecr_options.encryption_configuration.encryption_type == "AES256"
    assert (aws.access_policy, aws.lifecycle_policy) == (None, None)


def test_the_values_of_a_file_are_loaded() -> None:
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


def test_cloud_source_registries_have_hosts_and_serve_all_namespaces() -> None:
    ecr, gar = config.parse(examples.FULL_AWS).source.registries
    assert ecr.registry_host == "000123456789.dkr.ecr.ap-southeast-2.amazonaws.com"
    assert gar.registry_host == "us-central1-docker.pkg.dev"
    assert ecr.serves_all_namespaces and gar.serves_all_namespaces


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
def test_the_target_has_its_endpoint_prefix_and_length_limit(
    text: str, endpoint: str, prefix: str, longest: int
) -> None:
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
def test_all_ecr_hostnames_belong_to_the_same_target(hostname: str, host: str) -> None:
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


def test_explicit_flags_override_the_file_and_are_listed() -> None:
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


def test_a_flag_can_select_another_target_of_the_file() -> None:
    loaded = config.parse(examples.CHART_WITH_GCP, overrides={"target.type": "aws"})
    assert loaded.target.name.endpoint == "12345678.dkr.ecr.ap-southeast-2.amazonaws.com"
    assert loaded.overridden == ("target.type",)


def test_an_invalid_flag_is_reported_as_set_by_a_flag() -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(MINIMAL, overrides={"logLevel": "loud", "drRun": True})
    assert "logLevel, set by a flag: must be 'trace'" in str(caught.value)
    assert "drRun, set by a flag: is an unknown key; did you mean dryRun?" in str(caught.value)


def test_a_configuration_is_immutable() -> None:
    loaded = config.parse(MINIMAL)
    with pytest.raises(ValueError, match="frozen"):
        loaded.dry_run = False  # type: ignore[misc]


def test_the_digest_depends_on_the_values_and_not_on_the_text() -> None:
    assert config.parse(MINIMAL).digest == config.parse("# note\n" + MINIMAL + "\ndryRun: true").digest
    assert config.parse(MINIMAL).digest != config.parse(MINIMAL + "\ndryRun: false").digest


def test_the_file_is_found_by_flag_then_home_then_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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


def test_the_error_for_an_unreadable_file_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.yaml: the configuration file can't be read: No such file"):
        config.load(tmp_path / "missing.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"dryRun: true\nx: \xff\n")
    with pytest.raises(ConfigError, match=r"binary\.yaml:2: the file is not UTF-8 text: save it as UTF-8"):
        config.load(binary)
    bom = tmp_path / "bom.yaml"
    bom.write_bytes(b"\xef\xbb\xbf" + MINIMAL.encode())
    assert config.load(bom).target.type == "gcp"


def test_the_schema_describes_the_configuration_keys() -> None:
    schema = config.schema()
    assert schema["additionalProperties"] is False
    assert {"dryRun", "imageCopyDeadline", "trustedCA", "copy", "target"} <= schema["properties"].keys()
    assert schema["required"] == ["target"]
    assert schema["properties"]["imageCopyDeadline"]["type"] == "string"
    assert "SWAPPER_CRED_" in json.dumps(schema)
