"""All names of a target are recognised: hosts of ECR, configured aliases, forms of an IP address, default ports."""

from __future__ import annotations

from typing import Any

import pytest

from mirrors.images import ImageRef
from mirrors.images.target_name import target_name
from mirrors.models import ImageMapping
from mirrors.services import ActionRefusedError, request_image
from mirrors.services.configuration.config_rows import sync_config
from swapper_project.config import parse

ECR = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
DUAL = "123456789012.dkr-ecr.eu-central-1.on.aws"


@pytest.mark.parametrize(
    ("endpoint", "insecure", "host", "same"),
    [
        ("[::1]:5000", False, "[0:0:0:0:0:0:0:1]:5000", True),
        ("[0:0::1]:5000", False, "[::1]:5000", True),
        ("[::1]:5000", False, "[::2]:5000", False),
        ("[::1]:5000", False, "[::1]:5001", False),
        ("[2001:db8::1]", False, "[2001:DB8:0::1]:443", True),
        ("127.0.0.1:5000", False, "[::ffff:7f00:1]:5000", True),
        ("[::ffff:7f00:1]:5000", False, "127.0.0.1:5000", True),
        ("127.0.0.1:5000", False, "127.1:5000", True),
        ("127.0.0.1:5000", False, "0x7f.0.0.1:5000", True),
        ("127.0.0.1:5000", False, "2130706433:5000", True),
        ("127.0.0.1:5000", False, "127.0.0.2:5000", False),
        ("registry.example.com", False, "registry.example.com:443", True),
        ("registry.example.com:443", False, "REGISTRY.example.com", True),
        ("registry.example.com", False, "registry.example.com:80", False),
        ("registry.example.com", True, "registry.example.com:80", True),
        ("registry.example.com:80", True, "registry.example.com", True),
        ("registry.example.com", True, "registry.example.com:443", False),
        ("registry.example.com:5000", False, "registry.example.com", False),
        ("registry.example.com:05000", False, "registry.example.com:5000", True),
        ("registry.example.com", False, "registry.example.org", False),
    ],
)
def test_only_equivalent_hosts_are_recognised_as_the_target(
    endpoint: str, insecure: bool, host: str, same: bool
) -> None:
    name = target_name(endpoint, "mirror", insecure=insecure)

    assert name.contains(ImageRef.parse(f"{host}/mirror/app:1")) is same
    assert not name.contains(ImageRef.parse(f"{host}/other/app:1"))


@pytest.mark.parametrize("alias", ["mirror.svc.cluster.local:5000", "[fd00::1]:5000", "mirror.internal"])
def test_aliases_are_recognised_as_the_target(alias: str) -> None:
    name = target_name("registry.example.com", "mirror", aliases=["mirror.svc.cluster.local:5000", "[fd00::1]:5000",
                                                                 "mirror.internal"])  # fmt: skip

    assert name.contains(ImageRef.parse(f"{alias}/mirror/app:1"))
    assert str(name.retarget(ImageRef.parse("nginx:1"))).startswith("registry.example.com/mirror/docker.io/")


@pytest.mark.parametrize("endpoint", [ECR, DUAL])
def test_all_host_names_of_an_ecr_registry_are_recognised_as_the_target(endpoint: str) -> None:
    name = target_name(endpoint)

    assert name.max_repository == 256
    for host in (ECR, DUAL, ECR.replace("ecr", "ecr-fips")):
        assert name.contains(ImageRef.parse(f"{host}/app:1")), host
    assert not name.contains(ImageRef.parse(f"{ECR.replace('123456789012', '999999999999')}/app:1"))


def configured(**target: Any) -> None:
    sync_config(config=parse(f"target: {target}"))


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("target", "image"),
    [
        ({"type": "aws", "aws": {"accountId": "123456789012", "region": "eu-central-1"}}, f"{DUAL}/app:1"),
        (
            {"type": "aws", "aws": {"accountId": "123456789012", "region": "eu-central-1", "hostname": "dualstack"}},
            f"{ECR}/app:1",
        ),
        (
            {"type": "oci", "oci": {"endpoint": "registry.example.com", "aliases": ["registry.internal:5000"]}},
            "registry.internal:5000/app:1",
        ),
        ({"type": "oci", "oci": {"endpoint": "[fd00::1]:5000"}}, "[fd00:0::1]:5000/app:1"),
        ({"type": "oci", "oci": {"endpoint": "registry.example.com"}}, "registry.example.com:443/app:1"),
    ],
)
def test_an_image_at_the_target_cannot_be_mirrored(target: dict[str, Any], image: str) -> None:
    configured(**target)

    with pytest.raises(ActionRefusedError, match="is already at the target"):
        request_image(image=image, requested_by="somebody")
    assert not ImageMapping.objects.exists()


@pytest.mark.parametrize("alias", ["registry", "https://registry.example.com", ""])
def test_an_alias_that_is_not_a_host_is_rejected(alias: str) -> None:
    from swapper_project.config import ConfigError

    with pytest.raises(ConfigError, match="aliases"):
        parse(f"target: {{type: oci, oci: {{endpoint: registry.example.com, aliases: ['{alias}']}}}}")
