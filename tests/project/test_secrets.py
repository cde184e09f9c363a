"""A canary test: no password, secret key or secret path is in any log, metric, row, response or process list."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import urllib3

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.images import sample_image
from mirrors.demo.registry import MemoryRegistry
from tests.support.controlplane import ControlPlane
from tests.support.ports import free_port, wait_until
from tests.support.system import POOL, Webhook, pod_of, run_manage, web_process

SOURCE_PASSWORD = "canary-of-the-source-5f0c"
TARGET_PASSWORD = "canary-of-the-target-91be"
TOKEN = "canary-of-the-path-7d20"
SECRET_KEY = "canary-of-the-secret-key-0123456789-abcdefghijklmnopqrstuvwxyz"
PULL_SECRET = "canary-of-the-pull-secret-c3aa"
CANARIES = (SOURCE_PASSWORD, TARGET_PASSWORD, TOKEN, SECRET_KEY, PULL_SECRET)


@pytest.fixture
def registries() -> Iterator[tuple[MemoryRegistry, MemoryRegistry]]:
    source = MemoryRegistry(gatekeeper=Gatekeeper("basic", "robot", SOURCE_PASSWORD))
    target = MemoryRegistry(gatekeeper=Gatekeeper("basic", "mirror", TARGET_PASSWORD))
    with source, target:
        for number in range(2):
            sample = sample_image(seed=number, layers=1, layer_bytes=100)
            sample.load(source.storage, f"team/app-{number}", "1.0")
        yield source, target


def test_no_secret_is_in_logs_metrics_rows_responses_or_process_lists(
    registries: tuple[MemoryRegistry, MemoryRegistry], plane: ControlPlane, tmp_path: Path
) -> None:
    source, target = registries
    plane.namespace("canaries")
    plane.let_worker_read("canaries", "secrets", "serviceaccounts")
    private = MemoryRegistry(gatekeeper=Gatekeeper("basic", "puller", PULL_SECRET)).start()
    sample_image(seed=7, layers=1, layer_bytes=100).load(private.storage, "team/private", "1.0")
    puller = {"username": "puller", "password": PULL_SECRET}
    auths = {"auths": {private.host: puller, f"https://puller:{PULL_SECRET}@broken.example.com": {}}}
    plane.secret("canaries", "pull", "kubernetes.io/dockerconfigjson", {".dockerconfigjson": json.dumps(auths)})
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials/target").write_text(f"{TARGET_PASSWORD}\n")
    log_in = {"username": "robot", "passwordEnv": "SWAPPER_CRED_SOURCE", "namespaces": ["*"]}
    entry = {"type": "oci", "host": source.host, "insecure": True, **log_in}
    unlogged = {"type": "oci", "host": private.host, "insecure": True}
    oci = {"endpoint": target.host, "insecure": True, "username": "mirror", "passwordFile": "target"}
    config = tmp_path / "config.yaml"
    document = {"dryRun": False, "target": {"type": "oci", "oci": oci}, "source": {"registries": [entry, unlogged]}}
    config.write_text(json.dumps(document))
    port = free_port()
    extra = {
        "SWAPPER_CRED_SOURCE": SOURCE_PASSWORD,
        "SWAPPER_WEBHOOK_TOKEN": TOKEN,
        "SWAPPER_SECRET_KEY": SECRET_KEY,
    }
    webhook = Webhook(config, f"sqlite:///{tmp_path}/swapper.sqlite3", tmp_path, extra, path=f"/webhook/{TOKEN}")
    webhook.prepare()
    webhook.start()
    worker = webhook.worker()
    cluster = {"KUBECONFIG": str(plane.kubeconfig())}
    worker.environment = {**worker.environment, **cluster, "SWAPPER_BIND": f"127.0.0.1:{port}"}
    worker.start()
    try:
        image = f"{source.host}/team/app-0:1.0"
        wait_until(lambda: webhook.admit(pod_of(image)).images, timeout=60, what="a swap")
        secretive = pod_of(f"{private.host}/team/private:1.0")
        secretive["spec"]["imagePullSecrets"] = [{"name": "pull"}]
        wait_until(lambda: webhook.admit(secretive, namespace="canaries").images, timeout=60, what="a private swap")
        private.gatekeeper = Gatekeeper("basic", "puller", "changed")
        sample_image(seed=8, layers=1, layer_bytes=100).load(private.storage, "team/other", "1.0")
        other = pod_of(f"{private.host}/team/other:1.0")
        other["spec"]["imagePullSecrets"] = [{"name": "pull"}]
        webhook.admit(other, namespace="canaries")
        # Cause refused credentials, because their errors have the longest texts.
        source.gatekeeper = Gatekeeper("basic", "robot", "changed")
        webhook.admit(pod_of(f"{source.host}/team/app-1:1.0"))
        failed = "SELECT 1 FROM mirrors_mirrorattempt WHERE outcome = 'failed'"
        wait_until(lambda: _query(tmp_path, failed), timeout=60, what="a failed attempt")
        # Refused requests on the secret path are logged too.
        assert webhook.post(b"{}").status == 400
        assert webhook.post(b" " * (5 << 20)).status == 413
        assert POOL.request("DELETE", f"{webhook.url}{webhook.path}", retries=False, timeout=5).status == 405
        assert webhook.log_text().count("A request was refused") == 3
        explained = run_manage("explain", "-", "--json", environment=webhook.environment, stdin=_pod(image)).stdout
        checked = run_manage("config", "check", str(config), environment=webhook.environment).stdout
        metrics = [
            POOL.request("GET", url, retries=False, timeout=5).data.decode()
            for url in (f"{webhook.url}/metrics", f"http://127.0.0.1:{port}/metrics")
        ]
        with web_process(webhook, web_port := free_port()) as web:
            pages = _pages(webhook, web_port)
            pages.append(web.log.read_text())
        arguments = list(_command_lines())
    finally:
        worker.stop()
        webhook.stop()
        private.close()

    with closing(sqlite3.connect(tmp_path / "swapper.sqlite3")) as connection:
        rows = list(connection.iterdump())
    seen = [*pages, *rows, *metrics, *arguments, explained, checked, webhook.log_text(), worker.log.read_text()]
    assert "succeeded" in "".join(rows)
    for canary in CANARIES:
        assert [text[:300] for text in seen if canary in text] == []


MAKE_TOKEN = """
from django.contrib.auth.models import User
from mirrors.accounts.models import ApiToken
from mirrors.accounts.roles import Role
print(ApiToken.issue(user=User.objects.create_superuser("script"), name="t", role=Role.ADMIN)[1])
"""


def _pages(webhook: Webhook, port: int) -> list[str]:
    """Return the responses of the API for all resources."""
    token = run_manage("shell", "-v0", "-c", MAKE_TOKEN, environment=webhook.environment).stdout.strip()
    headers = {"Authorization": f"Token {token}"}
    base = f"http://127.0.0.1:{port}"
    wait_until(lambda: _answers(f"{base}/livez"), timeout=60, what="the web process")
    names = ("mappings", "jobs", "filters", "registries", "uses", "repositories", "stats", "jobs/1/attempts")
    found = [POOL.request("GET", f"{base}/api/v1/{name}/", headers=headers, timeout=10) for name in names]
    assert {response.status for response in found} == {200}
    return [response.data.decode() for response in found]


def _answers(url: str) -> bool:
    try:
        return POOL.request("GET", url, retries=False, timeout=2).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _query(directory: Path, sql: str) -> list[object]:
    with closing(sqlite3.connect(directory / "swapper.sqlite3", timeout=10)) as connection:
        return connection.execute(sql).fetchall()


def _command_lines() -> Iterator[str]:
    """Yield the command lines of all running processes. Processes of other tests can end in the meantime."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(FileNotFoundError, ProcessLookupError):
            yield file.read_bytes().decode(errors="replace")


def _pod(image: str) -> str:
    return json.dumps({**pod_of(image), "kind": "Pod"})
