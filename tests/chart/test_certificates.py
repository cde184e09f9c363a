"""The source of the webhook's certificate: the set-up Job, cert-manager, or a Secret of the user."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.support.helm import FULLNAME, Manifests, RenderError, containers, render, variables

TLS_SECRET = f"{FULLNAME}-tls"
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def certificate_volumes(manifests: Manifests) -> list[Any]:
    volumes = manifests.deployment()["spec"]["template"]["spec"]["volumes"]
    return [volume["secret"] for volume in volumes if volume["name"] == "tls"]


def commands(manifests: Manifests) -> list[str]:
    """Return the commands of the set-up Job, in order."""
    return [c["args"][0] for job in manifests.all("Job") for c in containers(job["spec"]["template"])]


def test_the_setup_job_creates_the_certificate_by_default() -> None:
    manifests = render()
    arguments = containers(manifests.all("Job")[0]["spec"]["template"])[-1]["args"]

    assert commands(manifests) == ["setup_secrets", "webhook_certs"]
    assert arguments == [
        "webhook_certs",
        "--namespace=swapper",
        f"--secret={TLS_SECRET}",
        f"--service={FULLNAME}",
        f"--webhook-configuration={FULLNAME}",
        "--cluster-suffix=cluster.local",
        f"--token-secret={FULLNAME}-app",
    ]
    assert certificate_volumes(manifests)[0]["secretName"] == TLS_SECRET


def test_the_cron_job_renews_the_certificate_with_the_same_command() -> None:
    manifests = render({"patch": {"validityDays": 90, "renewBeforeDays": 30}, "clusterSuffix": "corp.internal"})
    (job,), (cron,) = manifests.all("Job"), manifests.all("CronJob")
    renewal = containers(cron["spec"]["jobTemplate"]["spec"]["template"])

    assert [c["args"] for c in renewal] == [containers(job["spec"]["template"])[-1]["args"]]
    assert renewal[0]["args"][-3:] == [f"--token-secret={FULLNAME}-app", "--validity-days=90", "--renew-before-days=30"]
    assert "--cluster-suffix=corp.internal" in renewal[0]["args"]
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"


def test_fields_that_the_setup_job_writes_are_not_rendered() -> None:
    """Helm and GitOps tools would revert the fields that the Job writes."""
    client = render().hook["clientConfig"]

    assert "caBundle" not in client
    assert "path" not in client["service"]


def test_the_ca_key_is_not_mounted() -> None:
    (secret,) = certificate_volumes(render())

    assert [item["key"] for item in secret["items"]] == ["tls.crt", "tls.key"]


def test_the_webhook_token_comes_from_a_secret_by_default() -> None:
    token = variables(containers(render().deployment()["spec"]["template"])[0])["SWAPPER_WEBHOOK_TOKEN"]

    assert token == {"secretKeyRef": {"name": f"{FULLNAME}-app", "key": "webhook-token"}}


def test_the_webhook_token_can_be_disabled() -> None:
    manifests = render({"webhook": {"requireToken": False}})
    (job,) = manifests.all("Job")

    assert manifests.hook["clientConfig"]["service"]["path"] == "/webhook"
    assert "SWAPPER_WEBHOOK_TOKEN" not in variables(containers(manifests.deployment()["spec"]["template"])[0])
    assert not any(argument.startswith("--token") for argument in containers(job["spec"]["template"])[-1]["args"])


def test_cert_manager_replaces_the_certificate_job() -> None:
    """With cert-manager and the Job, estahn's chart rendered the volume twice, and its Jobs still ran."""
    manifests = render({"certmanager": {"enabled": True}})
    certificate = manifests.get("Certificate", TLS_SECRET)

    assert len(certificate_volumes(manifests)) == 1
    assert commands(manifests) == ["setup_secrets"]
    assert not manifests.all("CronJob")
    assert manifests.get("MutatingWebhookConfiguration")["metadata"]["annotations"] == {
        "cert-manager.io/inject-ca-from": f"swapper/{TLS_SECRET}"
    }
    assert manifests.hook["clientConfig"]["service"]["path"] == "/webhook"
    assert certificate["spec"]["issuerRef"]["name"] == manifests.get("Issuer", TLS_SECRET)["metadata"]["name"]
    assert f"{FULLNAME}.swapper.svc" in certificate["spec"]["dnsNames"]


def test_a_cluster_issuer_can_be_used() -> None:
    manifests = render({"certmanager": {"enabled": True, "issuerKind": "ClusterIssuer", "issuerName": "company"}})

    assert not manifests.all("Issuer")
    assert manifests.get("Certificate", TLS_SECRET)["spec"]["issuerRef"] == {
        "group": "cert-manager.io",
        "kind": "ClusterIssuer",
        "name": "company",
    }


@pytest.mark.parametrize("bundle", [PEM, base64.b64encode(PEM.encode()).decode()], ids=["pem", "base64"])
def test_an_existing_tls_secret_can_be_used(bundle: str) -> None:
    manifests = render({"tls": {"existingSecret": "mine", "caBundle": bundle}})

    assert certificate_volumes(manifests)[0]["secretName"] == "mine"
    assert base64.b64decode(manifests.hook["clientConfig"]["caBundle"]).decode() == PEM
    assert commands(manifests) == ["setup_secrets"]


def test_cert_manager_can_inject_the_ca_of_an_existing_secret() -> None:
    annotations = {"cert-manager.io/inject-ca-from-secret": "swapper/mine"}
    manifests = render({"tls": {"existingSecret": "mine"}, "webhook": {"annotations": annotations}})

    assert manifests.get("MutatingWebhookConfiguration")["metadata"]["annotations"] == annotations
    assert "caBundle" not in manifests.hook["clientConfig"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"patch": {"enabled": False}}, "The webhook has no certificate. Set patch.enabled=true"),
        ({"tls": {"existingSecret": "mine"}}, "tls.existingSecret needs tls.caBundle"),
        ({"tls": {"existingSecret": "mine", "caBundle": "Q0E="}, "certmanager": {"enabled": True}}, "both provide"),
        ({"certmanager": {"enabled": True}, "webhook": {"requireToken": True}}, "webhook.requireToken works only"),
    ],
)
def test_invalid_certificate_values_are_rejected(values: dict[str, Any], words: str) -> None:
    with pytest.raises(RenderError, match=words):
        render(values)


def test_no_job_is_rendered_if_all_secrets_exist() -> None:
    own = {
        "tls": {"existingSecret": "a", "caBundle": "Q0E="},
        "secrets": {"existingSecret": "b"},
        "admin": {"existingSecret": "c"},
        "postgresql": {"existingSecret": "d"},
    }
    manifests = render({**own, "test": {"enabled": False}})

    assert not manifests.all("Job")
    assert not manifests.all("CronJob")
    assert not manifests.all("Role")
    assert [account["metadata"]["name"] for account in manifests.all("ServiceAccount")] == [
        FULLNAME,
        f"{FULLNAME}-watcher",
    ]


def test_existing_secrets_change_the_arguments_of_setup_secrets() -> None:
    manifests = render({"secrets": {"existingSecret": "b"}, "postgresql": {"existingSecret": "d"}})
    arguments = containers(manifests.all("Job")[0]["spec"]["template"])[0]["args"]

    assert arguments == ["setup_secrets", "--namespace=swapper", "--app-secret=b", f"--admin-secret={FULLNAME}-admin"]
