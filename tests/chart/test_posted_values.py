"""Values files of estahn's chart work unchanged: the application loads the configuration that they contain."""

from __future__ import annotations

from typing import Any

import pytest

from swapper_project import config
from tests.chart.posted_values import posted
from tests.support.helm import FULLNAME, Manifests, containers, notes, render, variables

POSTED = posted()


def loaded(manifests: Manifests) -> config.Config:
    """Return the configuration as the application reads it."""
    return config.parse(manifests.config_text)


@pytest.mark.parametrize("name", POSTED)
def test_the_application_loads_the_configuration(name: str) -> None:
    assert loaded(render(POSTED[name])).target.name.endpoint


@pytest.mark.parametrize("name", POSTED)
def test_notes_report_no_unknown_values(name: str) -> None:
    assert "is unknown" not in notes(POSTED[name])


def test_terraform_values_set_the_account_namespace_and_filters() -> None:
    manifests = render(POSTED["terraform"], namespace="kube-system")
    account = manifests.get("ServiceAccount")

    assert account["metadata"]["annotations"] == {
        "eks.amazonaws.com/role-arn": "arn:aws:iam::123456789012:role/test-k8s-image-swapper"
    }
    assert account["metadata"]["namespace"] == "kube-system"
    assert [f.jmespath for f in loaded(manifests).source.filters] == [
        "obj.metadata.namespace != 'default'",
        "contains(container.image, '.dkr.ecr.') && contains(container.image, '.amazonaws.com')",
    ]
    assert manifests.has("ClusterRole")


def test_an_artifact_registry_target_overrides_the_default_target() -> None:
    manifests = render(POSTED["gcp"])

    assert loaded(manifests).target.type == "gcp"
    assert "DRY RUN" not in notes(POSTED["gcp"])
    assert "placeholder" not in notes(POSTED["gcp"])


def test_keys_in_other_cases_override_the_defaults() -> None:
    found = loaded(render(POSTED["capitals"]))

    assert (found.dry_run, found.log_level, found.image_swap_policy) == (False, "info", "always")
    assert found.target.aws is not None
    assert (found.target.aws.account_id, found.target.aws.region) == ("123456789012", "eu-central-1")
    assert len(found.source.filters) == 1


def test_unquoted_numbers_are_accepted_where_text_is_expected() -> None:
    manifests = render(POSTED["numbers"])
    found = loaded(manifests)
    deployment = manifests.deployment()

    assert found.target.aws is not None
    assert found.target.aws.account_id == "023456789012"
    assert found.target.aws.ecr_options.tags[0].value == "4711"
    assert deployment["metadata"]["labels"]["cost-center"] == "12"
    assert deployment["metadata"]["labels"]["year"] == "2024"
    assert manifests.get("PodDisruptionBudget")["spec"]["minAvailable"] == 1
    assert deployment["spec"]["template"]["spec"]["imagePullSecrets"] == [{"name": "first"}, {"name": "second"}]
    assert "quotes" in notes(POSTED["numbers"])


@pytest.mark.parametrize("number", ["123456789012", "023456789012"])
def test_an_account_id_set_on_the_command_line_keeps_its_digits(number: str) -> None:
    """The getting-started page has this argument. Helm's --set converts its value to a number."""
    region = "config.target.aws.region=eu-central-1"
    found = loaded(render(None, f"config.target.aws.accountId={number}", region, "awsSecretName=k8s-image-swapper-aws"))

    assert found.target.aws is not None
    assert found.target.aws.account_id == number


@pytest.mark.parametrize(
    ("argument", "path", "value"),
    [
        ("config.dryRun=false", "dry_run", False),
        ("config.imageSwapPolicy=always", "image_swap_policy", "always"),
        ("config.imageCopyPolicy=delayed", "image_copy_policy", "delayed"),
        ("config.logFormat=json", "log_format", "json"),
    ],
)
def test_settings_can_be_set_on_the_command_line(argument: str, path: str, value: object) -> None:
    assert getattr(loaded(render(None, argument)), path) == value


def test_a_filter_set_on_the_command_line_replaces_the_default() -> None:
    found = loaded(render(None, "config.source.filters[0].jmespath=obj.metadata.namespace != 'playground'"))

    assert [f.jmespath for f in found.source.filters] == ["obj.metadata.namespace != 'playground'"]


def test_aws_access_keys_are_read_from_the_secret() -> None:
    manifests = render(POSTED["certmanager"])

    for role in ("", "web", "worker"):
        found = variables(manifests.deployment(role)["spec"]["template"]["spec"]["containers"][0])
        key = {"name": "k8s-image-swapper-aws", "key": "AWS_ACCESS_KEY_ID"}
        assert found["AWS_ACCESS_KEY_ID"] == {"secretKeyRef": key}
        assert found["AWS_SECRET_ACCESS_KEY"]["secretKeyRef"]["key"] == "AWS_SECRET_ACCESS_KEY"


def large() -> Manifests:
    return render(POSTED["large-cluster"])


def test_scheduling_values_annotations_and_labels_apply_to_the_webhook() -> None:
    pod = large().deployment()["spec"]["template"]

    assert pod["spec"]["nodeSelector"] == {"node-role": "infra", "kubernetes.io/os": "linux"}
    assert pod["spec"]["tolerations"] == [{"key": "infra", "operator": "Exists", "effect": "NoSchedule"}]
    assert list(pod["spec"]["affinity"]) == ["nodeAffinity"]
    assert pod["spec"]["priorityClassName"] == "system-cluster-critical"
    assert pod["metadata"]["annotations"]["prometheus.io/scrape"] == "true"
    assert pod["metadata"]["labels"]["owner"] == f"{FULLNAME}-team"
    assert large().deployment()["metadata"]["annotations"] == {"reloader.stakater.com/auto": "true"}


def test_resource_limits_apply_only_to_the_webhook() -> None:
    limits = {
        role: large().deployment(role)["spec"]["template"]["spec"]["containers"][0]["resources"].get("limits")
        for role in ("", "web", "worker")
    }

    assert limits == {"": {"cpu": "100m", "memory": "256Mi"}, "web": None, "worker": None}


def test_custom_security_contexts_are_merged_with_the_defaults() -> None:
    spec = large().deployment()["spec"]["template"]["spec"]

    assert spec["securityContext"] == {
        "fsGroup": 2000,
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert spec["containers"][0]["securityContext"]["runAsUser"] == 1000
    assert spec["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


def test_certificate_job_settings_apply_except_for_the_image() -> None:
    (job,) = large().all("Job")
    pod = job["spec"]["template"]

    assert pod["spec"]["priorityClassName"] == "system-cluster-critical"
    assert pod["spec"]["tolerations"] == [{"key": "infra", "operator": "Exists"}]
    assert pod["spec"]["nodeSelector"]["node-role"] == "infra"
    assert pod["metadata"]["annotations"]["example.com/job"] == "yes"
    assert {c["image"] for c in containers(pod)} == {variables_image()}


def variables_image() -> str:
    image: str = render().deployment()["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


def test_the_upstream_image_is_replaced_with_a_warning() -> None:
    container = large().deployment()["spec"]["template"]["spec"]["containers"][0]

    assert container["image"] == variables_image()
    assert container["imagePullPolicy"] == "Always"
    assert "cannot run this chart" in notes(POSTED["large-cluster"])


def test_extra_variables_and_manifests_are_rendered() -> None:
    manifests = large()

    for role in ("", "web", "worker"):
        spec = manifests.deployment(role)["spec"]["template"]["spec"]
        assert all(variables(c)["HTTPS_PROXY"] == "http://proxy.example.com:3128" for c in containers({"spec": spec}))
    assert manifests.has("ConfigMap", "extra")
    assert manifests.has("ConfigMap", f"{FULLNAME}-templated")


def test_the_cache_volume_replaces_the_tmp_volume_of_the_worker() -> None:
    volumes = large().deployment("worker")["spec"]["template"]["spec"]["volumes"]

    assert {"name": "tmp", "persistentVolumeClaim": {"claimName": "cache"}} in volumes
    assert {"name": "tmp", "emptyDir": {}} in large().deployment()["spec"]["template"]["spec"]["volumes"]


def test_only_the_webhook_uses_the_host_network() -> None:
    manifests = render(POSTED["host-network"])
    spec = manifests.deployment()["spec"]

    assert spec["template"]["spec"]["hostNetwork"] is True
    assert spec["template"]["spec"]["dnsPolicy"] == "ClusterFirstWithHostNet"
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}
    assert "--listen-address=:8444" in spec["template"]["spec"]["containers"][0]["args"]
    for role in ("web", "worker"):
        assert "hostNetwork" not in manifests.deployment(role)["spec"]["template"]["spec"]


def test_dev_mode_registers_a_webhook_outside_the_cluster() -> None:
    manifests = render(POSTED["dev"])
    container = manifests.deployment()["spec"]["template"]["spec"]["containers"][0]

    assert manifests.hook["clientConfig"] == {"url": "https://abc.ngrok.io"}
    assert container["readinessProbe"]["httpGet"]["scheme"] == "HTTP"
    assert container["args"] == ["webhook", "--listen-address=:8443", "--no-tls"]
    assert not manifests.all("CronJob")
    assert "dev.enabled" in notes(POSTED["dev"])


@pytest.mark.parametrize(
    ("values", "advice"),
    [
        ({"replicaCoun": 3}, "did you mean replicaCount?"),
        ({"somethingElse": {"a": 1}}, "The value somethingElse is unknown and has no effect."),
    ],
)
def test_unknown_values_render_with_a_warning(values: dict[str, Any], advice: str) -> None:
    assert render(values).objects
    assert advice in notes(values)
    assert "WARNING: The value" in notes(values)
