"""Host names of the registries of clouds, in all partitions, built and parsed."""

from __future__ import annotations

import pytest

from mirrors.images.cloud_hosts import (
    ECR_KINDS,
    EcrHost,
    EcrKind,
    ecr_arn,
    ecr_host,
    gar_host,
    parse_ecr_host,
)

ACCOUNT = "123456789012"


@pytest.mark.parametrize(
    ("region", "kind", "host"),
    [
        ("eu-central-1", "standard", "123456789012.dkr.ecr.eu-central-1.amazonaws.com"),
        ("eu-central-1", "dualstack", "123456789012.dkr-ecr.eu-central-1.on.aws"),
        ("us-gov-west-1", "fips", "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com"),
        ("us-east-1", "fips-dualstack", "123456789012.dkr-ecr-fips.us-east-1.on.aws"),
        ("cn-north-1", "standard", "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn"),
        ("cn-north-1", "dualstack", "123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn"),
        ("us-iso-east-1", "standard", "123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1", "standard", "123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov"),
        ("eu-isoe-west-1", "standard", "123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk"),
        ("eusc-de-east-1", "standard", "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu"),
        ("xx-new-1", "standard", "123456789012.dkr.ecr.xx-new-1.amazonaws.com"),
    ],
)
def test_ecr_hosts_are_built_and_parsed(region: str, kind: EcrKind, host: str) -> None:
    assert ecr_host(ACCOUNT, region, kind) == host
    assert parse_ecr_host(host) == EcrHost(ACCOUNT, region, kind)


@pytest.mark.parametrize(
    "host",
    [
        "public.ecr.aws",
        "123456789012.dkr.ecr.eu-central-1.amazonaws.com.evil.example",
        "123456789012.dkr.ecr.cn-north-1.amazonaws.com",
        "12345.dkr.ecr.eu-central-1.amazonaws.com",
        "123456789012.dkr.ecr.eu-central-1.on.aws",
        "docker.io",
    ],
)
def test_other_hosts_are_not_parsed_as_ecr_hosts(host: str) -> None:
    assert parse_ecr_host(host) is None


def test_arns_contain_the_partition_of_their_region() -> None:
    assert ecr_arn(ACCOUNT, "eu-central-1", "a/b") == f"arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/a/b"
    assert ecr_arn(ACCOUNT, "cn-north-1", "a").startswith("arn:aws-cn:ecr:")
    assert ecr_arn(ACCOUNT, "us-gov-east-1", "a").startswith("arn:aws-us-gov:ecr:")


def test_all_host_names_of_an_ecr_registry_are_different() -> None:
    assert len({ecr_host(ACCOUNT, "us-east-1", kind) for kind in ECR_KINDS}) == len(ECR_KINDS) == 4


@pytest.mark.parametrize("location", ["europe-west3", "us", "europe", "asia-southeast2"])
def test_artifact_registry_hosts_contain_their_location(location: str) -> None:
    assert gar_host(location) == f"{location}-docker.pkg.dev"
