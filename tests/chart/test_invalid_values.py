"""Values that the chart refuses: unknown keys below ``config``, wrong types, images that cannot run the product."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from swapper_project import config as configuration
from tests.support.helm import CHART, RenderError, render


def refusal(values: dict[str, Any]) -> str:
    with pytest.raises(RenderError) as caught:
        render(values)
    return str(caught.value)


UNKNOWN: list[tuple[dict[str, Any], str]] = [
    ({"imageSwapPolicies": "exists"}, "imageSwapPolicies: is an unknown key; did you mean imageSwapPolicy?"),
    ({"DRYRUNN": True}, "DRYRUNN: is an unknown key; did you mean dryRun?"),
    ({"source": {"filter": []}}, "source.filter: is an unknown key; did you mean filters?"),
    (
        {"source": {"filters": [{"jmesPaths": "x"}]}},
        "source.filters[].jmesPaths: is an unknown key; did you mean jmespath?",
    ),
    ({"target": {"aws": {"acountId": "1"}}}, "target.aws.acountId: is an unknown key; did you mean accountId?"),
    (
        {"target": {"aws": {"ecrOptions": {"tags": [{"name": "a"}]}}}},
        "target.aws.ecrOptions.tags[].name: is an unknown",
    ),
    ({"target": {"region": "a"}}, "target.region: is an unknown key here; there is config.target.aws.region"),
    ({"accountId": "123456789012"}, "accountId: is an unknown key here; there is config.target.aws.accountId"),
    ({"privateRegistries": []}, "privateRegistries: is now source.registries"),
    ({"cacheTtlMinutes": 5}, "cacheTtlMinutes: is now existence.maxAge"),
    ({"xyz": 1}, "xyz: is an unknown key; valid keys: dryRun, logLevel"),
    ({"ImageSwapPolicy": "always", "imageSwapPolicy": "exists"}, "imageswappolicy: is set twice"),
    ({"target": {"type": "gcp"}}, "target.gcp is missing"),
]


@pytest.mark.parametrize(("config", "words"), UNKNOWN)
def test_invalid_configuration_keys_are_rejected(config: dict[str, Any], words: str) -> None:
    assert f"config.{words}" in refusal({"config": config})


@pytest.mark.parametrize("key", ["dryrun", "DRYRUN", "DryRun"])
def test_configuration_keys_are_case_insensitive(key: str) -> None:
    assert f"{key}: false" in render({"config": {key: False}}).config_text


def test_sections_of_other_target_types_are_ignored() -> None:
    """The application ignores such sections too."""
    target = {"type": "oci", "oci": {"endpoint": "registry.example.com"}, "aws": {"whatever": 1}}

    assert configuration.parse(render({"config": {"target": target}}).config_text).target.type == "oci"


def test_keys_that_the_application_ignores_are_accepted() -> None:
    registry = {"type": "aws", "aws": {"accountId": "123456789012", "region": "eu-west-1", "ecrOptions": {"tags": []}}}

    assert render({"config": {"source": {"registries": [registry]}}}).objects


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"config": {"dryRun": "yes"}}, "/config/dryRun"),
        ({"config": {"DryRun": "yes"}}, "/config/DryRun"),
        ({"config": {"source": {"filters": "a"}}}, "/config/source/filters"),
        ({"config": {"source": {"filters": [{"jmespath": 5}]}}}, "/config/source/filters/0/jmespath"),
        ({"config": {"imageSwapPolicy": "sometimes"}}, "/config/imageSwapPolicy"),
        ({"config": {"imageCopyDeadline": 8}}, "/config/imageCopyDeadline"),
        ({"config": {"copy": {"images": "8"}}}, "/config/copy/images"),
        ({"config": {"target": {"aws": {"accountId": True}}}}, "/config/target/aws/accountId"),
        ({"replicaCount": "two"}, "/replicaCount"),
        ({"webhook": {"failurePolicy": "Maybe"}}, "/webhook/failurePolicy"),
        ({"imagePullSecrets": "regcred"}, "/imagePullSecrets"),
        ({"pdb": {"enabled": "sometimes"}}, "/pdb/enabled"),
        ({"nodeSelector": ["a"]}, "/nodeSelector"),
        ({"imagePullSecrets": ["regcred"]}, "/imagePullSecrets/0"),
        ({"topologySpreadConstraints": [3]}, "/topologySpreadConstraints/0"),
        ({"web": {"tolerations": ["all"]}}, "/web/tolerations/0"),
        ({"extraEnv": ["A=B"]}, "/extraEnv/0"),
        ({"webhook": {"exemptNamespaces": [{"name": "karpenter"}]}}, "/webhook/exemptNamespaces/0"),
        ({"secretReader": {"secretNames": [{"name": "regcred"}]}}, "/secretReader/secretNames/0"),
        ({"replicaCount": -1}, "/replicaCount"),
        ({"containerPort": 84430}, "/containerPort"),
        ({"service": {"port": 0}}, "/service/port"),
    ],
)
def test_an_invalid_value_is_rejected_with_its_path(values: dict[str, Any], place: str) -> None:
    assert f"'{place}'" in refusal(values)


@pytest.mark.parametrize("empty", ["", None])
def test_a_key_without_a_value_counts_as_unset(empty: object) -> None:
    values = {"config": {"imageSwapPolicy": empty, "target": {"aws": {"role": empty}}}}

    assert configuration.parse(render(values).config_text).image_swap_policy == "exists"


@pytest.mark.parametrize(
    "config",
    [
        {"imageCopyDeadline": "12s", "refreshAge": "1.5h", "copy": {"maxImageBytes": 21474836480}},
        {"copy": {"maxImageBytes": "1.5GiB"}, "platforms": ["linux/amd64"], "quotas": {"pendingJobs": 5}},
        {"platforms": "auto"},
        {"existence": {"maxAge": "5m", "maxStale": "48h"}, "source": {"allowedHosts": ["*.example.com"]}},
    ],
)
def test_the_schema_accepts_values_that_the_application_accepts(config: dict[str, Any]) -> None:
    loaded = configuration.parse(render({"config": config}).config_text).effective()

    for key, value in config.items():
        assert loaded[key] == ("1h30m" if key == "refreshAge" else value) or isinstance(value, dict)


@pytest.mark.parametrize("tag", ["1.5.2", "v1.4.0", 1.5, "1.0.0-beta.1"])
def test_a_private_copy_of_the_upstream_image_is_rejected(tag: object) -> None:
    image = {"repository": "registry.example.com/k8s-image-swapper", "tag": tag}

    assert "cannot run this chart. Copy ghcr.io/" in refusal({"image": image})


def test_a_private_copy_of_our_image_is_accepted() -> None:
    image = {"repository": "registry.example.com/k8s-image-swapper", "tag": "0.1.0"}
    container = render({"image": image}).deployment()["spec"]["template"]["spec"]["containers"][0]

    assert container["image"] == "registry.example.com/k8s-image-swapper:0.1.0"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"hostNetwork": True, "containerPort": 10250}, "10250 is the kubelet's"),
        ({"webhook": {"timeoutSeconds": 31}}, "must be from 1 to 30"),
    ],
)
def test_values_that_kubernetes_would_reject_are_rejected(values: dict[str, Any], words: str) -> None:
    assert words in refusal(values)


def nothing(values: dict[str, Any]) -> dict[str, Any]:
    """Return the keys whose default is empty, without a value."""
    sections = {key: nothing(value) for key, value in values.items() if isinstance(value, dict) and value}
    return sections | dict.fromkeys(key for key, value in values.items() if value in ({}, [], "", None))


def test_null_values_render_the_same_as_empty_defaults() -> None:
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())

    assert render(nothing(defaults)).objects == render().objects
