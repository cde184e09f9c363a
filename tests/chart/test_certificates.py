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


def test_the_job_makes_it_by_default() -> None:
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


def test_the_same_command_renews_it() -> None:
    manifests = render({"patch": {"validityDays": 90, "renewBeforeDays": 30}, "clusterSuffix": "corp.internal"})
    (job,), (cron,) = manifests.all("Job"), manifests.all("CronJob")
    renewal = containers(cron["spec"]["jobTemplate"]["spec"]["template"])

    assert [c["args"] for c in renewal] == [containers(job["spec"]["template"])[-1]["args"]]
    assert renewal[0]["args"][-3:] == [f"--token-secret={FULLNAME}-app", "--validity-days=90", "--renew-before-days=30"]
    assert "--cluster-suffix=corp.internal" in renewal[0]["args"]
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"


def test_what_the_job_writes_is_not_rendered() -> None:
    """Helm and GitOps tools would revert the fields that the Job writes."""
    client = render().hook["clientConfig"]

    assert "caBundle" not in client
    assert "path" not in client["service"]


def test_the_authority_s_key_is_not_mounted() -> None:
    (secret,) = certificate_volumes(render())

    assert [item["key"] for item in secret["items"]] == ["tls.crt", "tls.key"]


def test_reviews_come_to_a_secret_path_where_the_job_registers_it() -> None:
    token = variables(containers(render().deployment()["spec"]["template"])[0])["SWAPPER_WEBHOOK_TOKEN"]

    assert token == {"secretKeyRef": {"name": f"{FULLNAME}-app", "key": "webhook-token"}}


def test_the_secret_path_can_be_left_out() -> None:
    manifests = render({"webhook": {"requireToken": False}})
    (job,) = manifests.all("Job")

    assert manifests.hook["clientConfig"]["service"]["path"] == "/webhook"
    assert "SWAPPER_WEBHOOK_TOKEN" not in variables(containers(manifests.deployment()["spec"]["template"])[0])
    assert not any(argument.startswith("--token") for argument in containers(job["spec"]["template"])[-1]["args"])


def test_cert_manager_wins_over_the_job() -> None:
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


def test_an_issuer_of_the_cluster() -> None:
    manifests = render({"certmanager": {"enabled": True, "issuerKind": "ClusterIssuer", "issuerName": "company"}})

    assert not manifests.all("Issuer")
    assert manifests.get("Certificate", TLS_SECRET)["spec"]["issuerRef"] == {
        "group": "cert-manager.io",
        "kind": "ClusterIssuer",
        "name": "company",
    }


@pytest.mark.parametrize("bundle", [PEM, base64.b64encode(PEM.encode()).decode()], ids=["pem", "base64"])
def test_a_secret_of_the_users(bundle: str) -> None:
    manifests = render({"tls": {"existingSecret": "mine", "caBundle": bundle}})

    assert certificate_volumes(manifests)[0]["secretName"] == "mine"
    assert base64.b64decode(manifests.hook["clientConfig"]["caBundle"]).decode() == PEM
    assert commands(manifests) == ["setup_secrets"]


def test_a_secret_whose_authority_cert_manager_injects() -> None:
    annotations = {"cert-manager.io/inject-ca-from-secret": "swapper/mine"}
    manifests = render({"tls": {"existingSecret": "mine"}, "webhook": {"annotations": annotations}})

    assert manifests.get("MutatingWebhookConfiguration")["metadata"]["annotations"] == annotations
    assert "caBundle" not in manifests.hook["clientConfig"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"patch": {"enabled": False}}, "The webhook has no certificate. Set patch.enabled=true"),
        ({"tls": {"existingSecret": "mine"}}, "tls.existingSecret needs tls.caBundle"),
        ({"tls": {"existingSecret": "mine", "caBundle": "Q0E="}, "certmanager": {"enabled": True}}, "both give"),
        ({"certmanager": {"enabled": True}, "webhook": {"requireToken": True}}, "webhook.requireToken works only"),
    ],
)
def test_what_cannot_work_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(RenderError, match=words):
        render(values)


def test_no_job_where_nothing_is_to_be_made() -> None:
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


def test_each_secret_can_be_the_user_s_own() -> None:
    manifests = render({"secrets": {"existingSecret": "b"}, "postgresql": {"existingSecret": "d"}})
    arguments = containers(manifests.all("Job")[0]["spec"]["template"])[0]["args"]

    assert arguments == ["setup_secrets", "--namespace=swapper", "--app-secret=b", f"--admin-secret={FULLNAME}-admin"]
