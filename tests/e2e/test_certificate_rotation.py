"""Certificate and authority are renewed behind a real API server while pods are created continuously."""

from __future__ import annotations

import os
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import urllib3
from cryptography import x509

from tests.installation.support import TLS, Site
from tests.support.controlplane import ADMIN, ControlPlane
from tests.support.ports import wait_until
from tests.support.system import Process, write_config

PROJECTED_AFTER = 1.0
"""Seconds until this stand-in for a kubelet projects a changed Secret into the pod. A kubelet takes up to 90."""


class MountedSecret:
    """A Secret as files, which are replaced in one step, as a kubelet does it: by a link to a directory."""

    def __init__(self, site: Site, directory: Path) -> None:
        self._site = site
        self._directory = directory
        self._stopping = threading.Event()
        self._version = ""
        self._thread = threading.Thread(target=self._follow, daemon=True)
        directory.mkdir()

    @property
    def cert(self) -> Path:
        return self._directory / "current/tls.crt"

    @contextmanager
    def following(self) -> Iterator[None]:
        self._project()
        self._thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            self._thread.join()

    def _follow(self) -> None:
        while not self._stopping.wait(PROJECTED_AFTER):
            self._project()

    def _project(self) -> None:
        secret = self._site.secret(TLS)
        version = secret["metadata"]["resourceVersion"]
        if version == self._version:
            return
        folder = self._directory / version
        folder.mkdir()
        values = self._site.values(TLS)
        for key in ("tls.crt", "tls.key"):
            (folder / key).write_bytes(values[key])
        link = self._directory / "new"
        link.symlink_to(version)
        os.replace(link, self._directory / "current")
        self._version = version


class PodCreation:
    """Creates pods continuously, as dry runs, for which the API server calls the webhook as for any other pod."""

    def __init__(self, site: Site, clients: int = 2) -> None:
        self._site = site
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]
        self.created = 0
        self.refused: list[str] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            for thread in self._threads:
                thread.join()

    def has_created(self, more: int) -> Any:
        """Return a condition that is true after this many more pods."""
        wanted = self.created + more
        return lambda: self.created + len(self.refused) >= wanted

    def _run(self) -> None:
        pool = urllib3.PoolManager(ca_certs=str(self._site.plane.ca_file))
        url = f"{self._site.plane.url}/api/v1/namespaces/{self._site.namespace}/pods?dryRun=All"
        pod = {"metadata": {"generateName": "web-"}, "spec": {"containers": [{"name": "web", "image": "nginx:1"}]}}
        while not self._stopping.is_set():
            response = pool.request("POST", url, json=pod, headers={"Authorization": f"Bearer {ADMIN}"}, timeout=30)
            if response.status == 201 and b"mirror.example.com" in response.data:
                self.created += 1
            else:
                self.refused.append(response.data.decode()[:300])


@pytest.fixture
def site(plane: ControlPlane) -> Iterator[Site]:
    site = Site(plane)
    site.permit()
    accounts = f"/api/v1/namespaces/{site.namespace}/serviceaccounts"
    plane.create(accounts, "default", "ServiceAccount")
    yield site
    site.unregister()


@contextmanager
def webhook(site: Site, mounted: MountedSecret, address: str, directory: Path) -> Iterator[Process]:
    """Run the webhook as its container does, at the Service's own address."""
    policies = {"imageSwapPolicy": "always", "imageCopyPolicy": "none"}
    config = write_config(directory / "config.yaml", target="mirror.example.com", **policies)
    flags = {
        "--config": str(config),
        "--listen-address": address,
        "--tls-cert-file": str(mounted.cert),
        "--tls-key-file": str(mounted.cert.with_name("tls.key")),
        "--data-dir": str(directory),
    }
    environment = {"SWAPPER_WEBHOOK_TOKEN": site.values("swapper-app")["webhook-token"].decode()}
    arguments = [sys.executable, "manage.py", "webhook", *(part for pair in flags.items() for part in pair)]
    process = Process(arguments, environment, directory / "webhook.log")
    process.start()
    pool = urllib3.PoolManager(cert_reqs="CERT_NONE", assert_hostname=False)

    def is_ready() -> bool:
        try:
            return pool.request("GET", f"https://{address}/readyz", retries=False, timeout=5).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    try:
        wait_until(is_ready, what="the webhook")
        yield process
    finally:
        pool.clear()
        process.stop()


def shown(address: str) -> int:
    """Return the serial number of the certificate that a new connection receives."""
    host, _, port = address.rpartition(":")
    pem = ssl.get_server_certificate((host, int(port)), timeout=10)
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


def test_certificate_and_authority_are_renewed_while_pods_are_created(site: Site, tmp_path: Path) -> None:
    host, port = site.serve_at()
    address = f"{host}:{port}"
    site.setup_secrets()
    site.register(port)
    site.webhook_certs("--token-secret", "swapper-app", "--validity-days", "40", "--renew-before-days", "10")
    mounted, pods = MountedSecret(site, tmp_path / "mounted"), PodCreation(site)

    def stored() -> int:
        return x509.load_pem_x509_certificate(site.values(TLS)["tls.crt"]).serial_number

    with mounted.following(), webhook(site, mounted, address, tmp_path), pods.running():
        wait_until(pods.has_created(20), what="pods that were swapped, by a call over TLS")
        first = site.values(TLS)

        site.webhook_certs("--token-secret", "swapper-app", "--validity-days", "90", "--renew-before-days", "50")
        renewed = site.values(TLS)
        assert renewed["tls.crt"] != first["tls.crt"] and renewed["ca.crt"] == first["ca.crt"]
        wait_until(lambda: shown(address) == stored(), what="the renewed certificate")
        wait_until(pods.has_created(20), what="pods after the renewal")

        site.webhook_certs("--token-secret", "swapper-app", "--rotate-authority")
        rotated = site.values(TLS)
        assert rotated["ca.crt"] != first["ca.crt"]
        assert site.bundles() == [rotated["ca.crt"] + first["ca.crt"]] * 2
        wait_until(lambda: shown(address) == stored(), what="the new authority's certificate")
        wait_until(pods.has_created(20), what="pods after the rotation")

        site.webhook_certs("--token-secret", "swapper-app", "--old-authority-hours", "0")
        assert site.bundles() == [rotated["ca.crt"]] * 2, "the old authority is not trusted any more"
        wait_until(pods.has_created(100), timeout=60, what="pods after the old authority was removed")

    assert pods.refused == []
    assert pods.created > 160
    print(f"{pods.created} pods were created, none was refused")
