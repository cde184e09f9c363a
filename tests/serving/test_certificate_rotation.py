"""A self-signed pair is replaced in the documented order, without an error for a client that trusts ``caBundle``."""

from __future__ import annotations

import contextlib
import json
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import urllib3

from swapper_project.process.private_files.certificates import ensure_self_signed
from tests.docs.markdown import script
from tests.serving.conftest import ALWAYS, TARGET
from tests.support.databases import ROOT, DatabaseTemplate
from tests.support.ports import wait_until
from tests.support.system import Webhook, pod_of, review_of, running_webhook

OPERATIONS = ROOT / "docs/operations.md"
AT_LEAST = 20
"""The number of reviews in each stage."""


class ApiServer:
    """A client that uses a new connection for each request and trusts only ``ca_bundle``."""

    def __init__(self, webhook: Webhook, ca_bundle: str) -> None:
        self._url = f"{webhook.url}{webhook.path}"
        self._body = json.dumps(review_of(pod_of("nginx:1.25"))).encode()
        self._stopping = threading.Event()
        self.ca_bundle = ca_bundle
        self.answers = 0
        self.problems: list[str] = []

    def ask(self, ca_bundle: str) -> None:
        """Send a review. Raise urllib3's error if the webhook's certificate is not trusted."""
        context = ssl.create_default_context(cadata=ca_bundle)
        with urllib3.PoolManager(ssl_context=context) as pool:
            headers = {"Connection": "close", "Content-Type": "application/json"}
            response = pool.request("POST", self._url, body=self._body, headers=headers, retries=False, timeout=20)
        assert response.json()["response"]["allowed"]

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            thread.join(30)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self.ask(self.ca_bundle)
                self.answers += 1
            except (urllib3.exceptions.HTTPError, AssertionError) as error:
                self.problems.append(repr(error))

    def wait_for_more(self) -> None:
        wanted = self.answers + AT_LEAST
        wait_until(lambda: self.answers >= wanted or self.problems, what="answers")


def run(name: str, directory: Path) -> None:
    subprocess.run(
        ["sh", "-euc", script(OPERATIONS, name)],
        env={
            **os.environ,
            "SWAPPER_DATA_DIR": str(directory),
            "WEBHOOK_HOST": "127.0.0.1",
            "WEBHOOK_NAMES": "IP:127.0.0.1,DNS:localhost",
        },
        timeout=60,
        check=True,
        stderr=subprocess.DEVNULL,
    )


def is_trusted(server: ApiServer, ca_bundle: str) -> bool:
    try:
        server.ask(ca_bundle)
    except urllib3.exceptions.SSLError:
        return False
    return True


def test_the_documented_certificate_rotation_causes_no_failed_handshake(
    tmp_path: Path, database_template: DatabaseTemplate
) -> None:
    cert, key = ensure_self_signed(tmp_path, names=["localhost", "127.0.0.1"])
    extra = {"SWAPPER_TLS_CERT_FILE": str(cert), "SWAPPER_TLS_KEY_FILE": str(key)}
    with running_webhook(tmp_path, database_template, target=TARGET, extra=extra, **ALWAYS) as webhook:
        old = cert.read_text()
        server = ApiServer(webhook, old)
        with server.asking():
            server.wait_for_more()
            run("next-pair", tmp_path)
            server.ca_bundle = (tmp_path / "bundle.crt").read_text()
            server.wait_for_more()
            run("replace-pair", tmp_path)
            new = cert.read_text()
            wait_until(lambda: is_trusted(server, new), what="the new pair")
            server.wait_for_more()
            server.ca_bundle = new
            server.wait_for_more()
        # If the pair were replaced before the bundle, every pod would fail, because clients trust only the old
        # authority.
        assert not is_trusted(server, old)
    assert server.problems == []
    assert key.stat().st_mode & 0o077 == 0
