"""The running system for tests: real processes, a real database, and registries on 127.0.0.1."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3
import yaml

from tests.support.commands import PRODUCT as PRODUCT
from tests.support.commands import run_manage as run_manage
from tests.support.commands import run_program
from tests.support.databases import ROOT, DatabaseTemplate
from tests.support.forked import Forked
from tests.support.ports import free_port, wait_until
from tests.support.warm_server import SHOW_STACKS

GUNICORN = [sys.executable, "-m", "gunicorn", "-c", "python:swapper_project.gunicorn_conf", "swapper_project.wsgi"]
POOL = urllib3.PoolManager(maxsize=64, cert_reqs="CERT_NONE")


def write_config(path: Path, *, target: str, prefix: str = "", **keys: Any) -> Path:
    """Write a configuration file with an OCI target at ``target`` (host:port). ``keys`` are added unchanged."""
    section = {"endpoint": target, "insecure": True, **({"prefix": prefix} if prefix else {})}
    document = {"dryRun": False, "target": {"type": "oci", "oci": section}, **keys}
    # Replace the file atomically, because a running webhook can read it at any moment.
    new = path.with_suffix(".new")
    new.write_text(yaml.safe_dump(document))
    return new.replace(path)


@dataclass
class Process:
    """A process of the system, and its log."""

    arguments: list[str]
    environment: Mapping[str, str]
    log: Path
    is_forked: bool = True
    """Whether the process is forked from one that has the libraries loaded. Otherwise it starts, and uses memory, as in
    production."""
    popen: subprocess.Popen[bytes] | Forked | None = None

    def start(self) -> None:
        environment = {**os.environ, **PRODUCT, **self.environment}
        with self.log.open("ab") as log, open(os.devnull) as nothing:
            if self.is_forked:
                self.popen = Forked(self.arguments[1:], environment, [nothing, log, log], leads_group=True)
                return
            self.popen = subprocess.Popen(
                self.arguments,
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def write_stacks(self) -> None:
        """Make the process and its children write the stacks of their threads to its log."""
        assert self.popen is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.popen.pid, SHOW_STACKS)
        # Only humans read the stacks, so there is no condition to wait for.
        time.sleep(1)

    def stop(self, sig: signal.Signals = signal.SIGTERM, timeout: float = 40) -> int:
        """Signal the process, wait for it to exit, and return its status. Remaining processes of its group are
        killed."""
        assert self.popen is not None
        if self.popen.poll() is None:
            self.popen.send_signal(sig)
        try:
            status = self.popen.wait(timeout)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.popen.pid, signal.SIGKILL)
        return status


@dataclass
class Webhook:
    """A webhook, over HTTPS if ``extra`` names a certificate. ``start`` sets ``url``."""

    config: Path
    database_url: str
    directory: Path
    extra: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    path: str = "/webhook"
    process: Process | None = None
    _last_probe: str = field(default="", init=False, repr=False)
    """The result of the last probe, for the message of a start that fails."""

    @property
    def environment(self) -> dict[str, str]:
        return {
            "SWAPPER_CONFIG": str(self.config),
            "SWAPPER_DATABASE_URL": self.database_url,
            "SWAPPER_DATA_DIR": str(self.directory),
            **self.extra,
        }

    def prepare(self) -> None:
        run_manage("prepare", environment=self.environment)

    def write_rows(self) -> None:
        """Do the part of ``prepare`` that a copy of a migrated database needs."""
        run_program("tests.support.configured_rows", environment=self.environment)

    def start(self) -> None:
        port = free_port()
        scheme = "https" if "SWAPPER_TLS_CERT_FILE" in self.extra else "http"
        self.url = f"{scheme}://127.0.0.1:{port}"
        self.process = Process(
            GUNICORN,
            {**self.environment, "SWAPPER_ROLE": "webhook", "SWAPPER_BIND": f"127.0.0.1:{port}"},
            self.directory / "webhook.log",
        )
        self.process.start()
        try:
            wait_until(self._is_ready, timeout=60, what="a webhook that is ready")
        except AssertionError as error:
            self.process.write_stacks()
            error.add_note(f"The last probe: {self._last_probe}\n{self.process.log.read_text()}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.stop()
            raise

    def stop(self) -> None:
        if self.process is not None:
            # A draining server waits for idle connections, because their clients may be about to use them.
            POOL.connection_from_url(self.url).close()
            self.process.stop()

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def metrics(self) -> dict[str, float]:
        """Return the samples of the metrics page: values by ``name{labels}``."""
        page = POOL.request("GET", f"{self.url}/metrics", retries=False, timeout=10).data.decode()
        return read_metrics(page)

    def worker(self) -> Process:
        """Return a worker of the same installation, not started yet."""
        return Process(
            [sys.executable, "manage.py", "worker"],
            {**self.environment, "SWAPPER_ROLE": "worker", "SWAPPER_BIND": f"127.0.0.1:{free_port()}"},
            self.directory / "worker.log",
        )

    def _is_ready(self) -> bool:
        assert self.process is not None and self.process.popen is not None
        assert self.process.popen.poll() is None, self.process.log.read_text()
        try:
            response = POOL.request("GET", f"{self.url}/readyz", retries=False, timeout=5)
        except urllib3.exceptions.HTTPError as error:
            self._last_probe = repr(error)
            return False
        self._last_probe = f"{response.status} {dict(response.headers)} {response.data[:200]!r}"
        return response.status == 200

    def post(self, body: bytes, path: str = "", **headers: str) -> urllib3.BaseHTTPResponse:
        return POOL.request(
            "POST",
            f"{self.url}{path or self.path}",
            body=body,
            headers={"Content-Type": "application/json", **headers},
            retries=False,
            timeout=30,
        )

    def review(self, review: Mapping[str, Any], path: str = "") -> Answer:
        response = self.post(json.dumps(review).encode(), path)
        assert response.status == 200, response.data
        return Answer(response.json(), review)

    def admit(self, pod: Mapping[str, Any], **request: Any) -> Answer:
        """Send the review of the creation of a pod."""
        return self.review(review_of(pod, **request))

    def log_text(self) -> str:
        assert self.process is not None
        return self.process.log.read_text()

    def log_lines(self) -> list[dict[str, Any]]:
        """Return the structured log lines so far, without a last line that is only partly written."""
        lines = self.log_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]

    def reasons(self, answer: Answer) -> list[str]:
        """Return the reason for each image of an answered review, from the log."""
        uid = answer.response["uid"]
        (line,) = [line for line in self.log_lines() if line.get("uid") == uid and line["message"] == "Admitted"]
        return [image["reason"] for image in line["images"]]


@contextlib.contextmanager
def running_webhook(
    directory: Path,
    template: DatabaseTemplate,
    *,
    target: str,
    prefix: str = "",
    extra: Mapping[str, str] | None = None,
    **keys: Any,
) -> Iterator[Webhook]:
    """Run a webhook with its own database, and ``keys`` in its configuration."""
    with template.copy(directory) as url:
        config = write_config(directory / "config.yaml", target=target, prefix=prefix, **keys)
        webhook = Webhook(config, url, directory, extra or {})
        webhook.write_rows()
        webhook.start()
        try:
            yield webhook
        finally:
            webhook.stop()


@contextlib.contextmanager
def web_process(webhook: Webhook, port: int) -> Iterator[Process]:
    """Run the process of the admin and API of the same installation."""
    role = {"SWAPPER_ROLE": "web", "SWAPPER_BIND": f"127.0.0.1:{port}"}
    web = Process(GUNICORN, {**webhook.environment, **role}, webhook.directory / "web.log")
    web.start()
    try:
        yield web
    finally:
        web.stop()


@dataclass(frozen=True)
class Answer:
    """A response to a review, with the review."""

    document: dict[str, Any]
    review: Mapping[str, Any]

    @property
    def response(self) -> dict[str, Any]:
        response: dict[str, Any] = self.document["response"]
        return response

    @property
    def allowed(self) -> bool:
        return self.response["allowed"] is True

    @property
    def patch(self) -> list[dict[str, Any]]:
        if "patch" not in self.response:
            return []
        operations: list[dict[str, Any]] = json.loads(base64.b64decode(self.response["patch"]))
        return operations

    @property
    def images(self) -> dict[str, str]:
        """The new images by JSON pointer."""
        return {op["path"]: op["value"] for op in self.patch if op["op"] == "replace"}


def read_metrics(page: str) -> dict[str, float]:
    """Return the values of a metrics page by ``name{labels}``."""
    lines = [line for line in page.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def review_of(
    pod: object,
    *,
    operation: str = "CREATE",
    namespace: str = "default",
    version: str = "v1",
    old: object = None,
    sub_resource: str = "",
    resource: Mapping[str, str] | None = None,
    **request: Any,
) -> dict[str, Any]:
    """Return an AdmissionReview in the form that an API server sends."""
    body: dict[str, Any] = {
        "uid": str(uuid.uuid4()),
        "kind": {"group": "", "version": "v1", "kind": "Pod"},
        "resource": resource or {"group": "", "version": "v1", "resource": "pods"},
        "operation": operation,
        "namespace": namespace,
        "object": pod,
        "oldObject": old,
        "dryRun": False,
        **request,
    }
    if sub_resource:
        body["subResource"] = sub_resource
    return {"apiVersion": f"admission.k8s.io/{version}", "kind": "AdmissionReview", "request": body}


def pod_of(*images: str, **metadata: Any) -> dict[str, Any]:
    """Return a pod with a container for each image."""
    containers = [{"name": f"c{index}", "image": image} for index, image in enumerate(images)]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", **metadata},
        "spec": {"containers": containers},
    }
