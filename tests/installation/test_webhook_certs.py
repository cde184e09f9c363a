"""The command that creates and renews the webhook's certificate, on a real API server."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from cryptography import x509

from tests.installation.support import HOOKS, TLS, Site, without_ours
from tests.support.controlplane import ControlPlane
from tests.support.databases import ROOT
from tests.support.ports import free_port, wait_until
from tests.support.system import PRODUCT


def names_of(certificate: bytes) -> list[str]:
    found = x509.load_pem_x509_certificate(certificate)
    return found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)


def test_the_first_run_creates_certificates_and_the_second_changes_nothing(site: Site) -> None:
    site.register()
    site.webhook_certs("--cluster-suffix", "example.org")
    values, before = site.values(TLS), (site.secrets(), site.registration())

    site.webhook_certs("--cluster-suffix", "example.org")

    assert (site.secrets(), site.registration()) == before
    assert set(values) == {"ca.crt", "ca.key", "tls.crt", "tls.key", "ca-bundle.crt"}
    name = f"k8s-image-swapper.{site.namespace}"
    assert names_of(values["tls.crt"]) == ["k8s-image-swapper", name, f"{name}.svc", f"{name}.svc.example.org"]
    assert site.bundles() == [values["ca-bundle.crt"]] * 2
    assert values["ca-bundle.crt"] == values["ca.crt"]


def test_only_the_ca_bundle_and_path_of_the_configuration_are_changed(site: Site) -> None:
    site.register(failurePolicy="Ignore", timeoutSeconds=7)
    site.setup_secrets()
    before = site.registration()

    result = site.webhook_certs("--token-secret", "swapper-app")

    after = site.registration()
    assert without_ours(after) == without_ours(before) and after != before
    token = site.values("swapper-app")["webhook-token"].decode()
    assert [hook["clientConfig"]["service"]["path"] for hook in after["webhooks"]] == [f"/webhook/{token}"] * 2
    assert token not in result.stdout + result.stderr


def test_a_webhook_with_a_url_keeps_its_url(site: Site, plane: ControlPlane) -> None:
    site.register(clientConfig={"url": "https://swapper.example.com:8443/webhook"})
    site.setup_secrets()

    site.webhook_certs("--token-secret", "swapper-app")

    (first, _) = site.registration()["webhooks"]
    assert first["clientConfig"].keys() == {"url", "caBundle"}
    assert first["clientConfig"]["url"] == "https://swapper.example.com:8443/webhook"


def test_the_previous_authority_stays_trusted_after_the_secret_is_deleted(site: Site, plane: ControlPlane) -> None:
    site.register()
    site.webhook_certs()
    theirs = site.values(TLS)["ca.crt"]
    plane.delete_secret(site.namespace, TLS)

    site.webhook_certs()

    assert theirs in site.bundles()[0] and site.values(TLS)["ca.crt"] in site.bundles()[0]
    assert theirs != site.values(TLS)["ca.crt"]


def test_a_secret_of_the_upstream_chart_is_unchanged_and_reported(site: Site, plane: ControlPlane) -> None:
    site.register()
    plane.secret(site.namespace, TLS, "Opaque", {"ca": "theirs", "cert": "theirs", "key": "theirs"})
    before = (site.secrets(), site.registration())

    result = site.webhook_certs(check=False)

    assert result.returncode == 1
    assert f"Secret {site.namespace}/{TLS} was not created by this command: it has ca, cert, key" in result.stderr
    assert "--secret" in result.stderr and len(result.stderr.splitlines()) == 1
    assert (site.secrets(), site.registration()) == before


def test_an_invalid_secret_is_reported_on_one_line(site: Site, plane: ControlPlane) -> None:
    keys = ("ca.crt", "ca.key", "tls.crt", "tls.key", "ca-bundle.crt")
    plane.secret(site.namespace, TLS, "Opaque", dict.fromkeys(keys, "damaged"))

    result = site.webhook_certs(check=False)

    assert result.returncode == 1
    assert "Delete it" in result.stderr and len(result.stderr.splitlines()) == 1


def test_the_command_waits_until_the_webhook_configuration_is_created(site: Site) -> None:
    running = start(site)
    wait_until(lambda: TLS in site.secrets(), what="the Secret, which waits for nothing")
    assert running.poll() is None

    site.register()

    assert running.wait(30) == 0
    assert site.bundles()[0] == site.values(TLS)["ca-bundle.crt"]


def test_a_missing_webhook_configuration_is_reported_on_one_line(site: Site) -> None:
    result = site.webhook_certs("--wait-seconds", "1", check=False)

    assert result.returncode == 1
    assert f"MutatingWebhookConfiguration {site.configuration} does not exist" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_concurrent_runs_agree_on_one_certificate_and_bundle(site: Site) -> None:
    site.register()
    running = [start(site) for _ in range(3)]

    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert site.bundles() == [site.values(TLS)["ca-bundle.crt"]] * 2

    running = [start(site, "--rotate-authority", "--old-authority-hours", "24") for _ in range(3)]

    assert [process.wait(90) for process in running] == [0, 0, 0]
    values = site.values(TLS)
    assert site.bundles() == [values["ca-bundle.crt"]] * 2
    served, authority = (x509.load_pem_x509_certificate(values[key]) for key in ("tls.crt", "ca.crt"))
    served.verify_directly_issued_by(authority)


def test_a_killed_rotation_is_finished_by_the_next_run(site: Site) -> None:
    site.register()
    site.webhook_certs()
    old = site.values(TLS)
    running = start(site, "--rotate-authority")
    wait_until(lambda: site.bundles()[0].count(b"BEGIN") == 2, what="both authorities in caBundle")
    running.kill()
    running.wait()
    assert site.values(TLS)["tls.crt"] == old["tls.crt"], "the certificate waits for API servers to know the bundle"

    site.webhook_certs()

    values = site.values(TLS)
    served, authority = (x509.load_pem_x509_certificate(values[key]) for key in ("tls.crt", "ca.crt"))
    served.verify_directly_issued_by(authority)
    assert values["ca-bundle.crt"] == values["ca.crt"] + old["ca.crt"] == site.bundles()[0]

    site.webhook_certs("--old-authority-hours", "0")

    assert site.bundles() == [values["ca.crt"]] * 2


def test_concurrent_changes_by_another_client_are_not_lost(site: Site, plane: ControlPlane) -> None:
    site.register()
    running = [start(site) for _ in range(2)]
    while any(process.poll() is None for process in running):
        configuration = site.registration()
        configuration["metadata"].setdefault("labels", {})["edited"] = str(configuration["metadata"]["generation"])
        plane.replace(f"{HOOKS}/{site.configuration}", configuration)

    assert [process.returncode for process in running] == [0, 0]
    assert site.bundles() == [site.values(TLS)["ca-bundle.crt"]] * 2
    assert site.registration()["metadata"]["labels"]["edited"]


@pytest.mark.parametrize("flags", [["--renew-before-days", "365"], ["--renew-before-days", "-1"]])
def test_invalid_renew_before_days_are_rejected(site: Site, flags: list[str]) -> None:
    result = site.webhook_certs(*flags, check=False)

    assert result.returncode == 1 and "--renew-before-days must be" in result.stderr


def test_a_missing_token_is_reported_on_one_line(site: Site) -> None:
    result = site.webhook_certs("--token-secret", "swapper-app", check=False)

    assert result.returncode == 1
    assert "has no webhook-token" in result.stderr and len(result.stderr.splitlines()) == 1


def test_a_token_invalid_in_a_service_path_is_rejected_and_not_shown(site: Site, plane: ControlPlane) -> None:
    plane.secret(site.namespace, "swapper-app", "Opaque", {"webhook-token": "Upper_case_0123456789"})

    result = site.webhook_certs("--token-secret", "swapper-app", check=False)

    assert result.returncode == 1
    assert "openssl rand -hex 32" in result.stderr and "Upper" not in result.stderr


def test_a_missing_permission_is_reported_on_one_line(plane: ControlPlane) -> None:
    unprivileged = Site(plane)

    result = unprivileged.webhook_certs(check=False)

    assert result.returncode == 1
    assert "forbidden" in result.stderr and len(result.stderr.splitlines()) == 1


def test_an_unavailable_api_server_is_reported_on_one_line(site: Site) -> None:
    path = site.plane.kubeconfig(namespace=f"{site.namespace}-away")
    path.write_text(path.read_text().replace(site.plane.url, f"https://127.0.0.1:{free_port()}"))

    result = site.webhook_certs(check=False, KUBECONFIG=str(path))

    assert result.returncode == 1
    assert "did not respond" in result.stderr and len(result.stderr.splitlines()) == 1


def start(site: Site, *arguments: str) -> subprocess.Popen[bytes]:
    """Start the command without waiting for it."""
    command = [sys.executable, "manage.py", *site.certs_command(*arguments)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **PRODUCT, **site.environment})
