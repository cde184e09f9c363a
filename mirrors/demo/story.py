"""The steps of the demo: two registries, the running system, and two reviews of the same pod."""

from __future__ import annotations

import base64
import hashlib
import json
import signal
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import urllib3
import yaml
from django.db import DatabaseError
from rich.console import Console
from rich.json import JSON
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from mirrors.demo.images import sample_image
from mirrors.demo.registry import MemoryRegistry
from mirrors.images import ImageRef
from mirrors.models import JobProgress, JobStatus, MirrorJob
from swapper_project.process.supervisor import MANAGE

T = TypeVar("T")

START_TIMEOUT: Final = 60.0
"""The most seconds that the processes may take to start; usually they take a few."""

COPY_TIMEOUT: Final = 600.0
"""The most seconds that the copy of the demo's image may take, also over a slow connection."""

LOG_LINES: Final = 15
"""Lines of the log that an error shows, about half a screen."""


class DemoError(Exception):
    """The demo failed; the message contains the reason, and usually the end of the log."""


class Demo:
    """The demo. It starts the registries and the system on free ports of 127.0.0.1, and stops them at its end."""

    def __init__(self, directory: Path, *, image: str | None) -> None:
        self._directory = directory
        self._console = Console(highlight=False)
        self._source = MemoryRegistry()
        self._target = MemoryRegistry()
        self._sample = sample_image(seed=7, layers=4, layer_bytes=8 << 20) if image is None else None
        self.image = image or f"{self._source.host}/shop/frontend:1.4.2"
        self._webhook = f"127.0.0.1:{_free_port()}"
        self._web = f"127.0.0.1:{_free_port()}"
        self._log = directory / "log"
        self._system: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._source.start()
        self._target.start()
        if self._sample is not None:
            self._sample.load(self._source.storage, "shop/frontend", "1.4.2")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._system is not None and self._system.poll() is None:
            self._system.send_signal(signal.SIGTERM)
            try:
                self._system.wait(45)
            except subprocess.TimeoutExpired:
                self._system.kill()
        self._source.close()
        self._target.close()

    def run(self) -> None:
        """Run the demo, from an empty mirror to a pod that is swapped to the mirror."""
        self._title("Start")
        self._start_system()
        self._title(f"A pod with {self.image} is created")
        self._show_response(self._admit())
        self._title("Meanwhile a worker copies the image")
        job = self._wait_for_copy()
        self._title("The same pod is created again")
        self._wait_for(self._would_swap, "a dry-run response that swaps the image", START_TIMEOUT)
        self._show_response(self._admit())
        self._title("What the mirror serves")
        self._compare(job)

    def keep_running(self) -> None:
        """Keep everything running until Ctrl-C."""
        password = (self._directory / "admin-password").read_text().strip()
        self._title("Look around")
        self._print(
            f"Dashboard  [link]http://{self._web}/admin/[/link]   user [bold]admin[/]  password [bold]{password}[/]"
        )
        self._print(f"Webhook    https://{self._webhook}/webhook")
        self._print("Ctrl-C stops the demo and removes everything.")
        while self._system is not None and self._system.poll() is None:
            time.sleep(0.5)

    def _start_system(self) -> None:
        config = self._directory / "config.yaml"
        config.write_text(yaml.safe_dump(self._configuration(), sort_keys=False))
        arguments = ["up", "--config", str(config), "--data-dir", str(self._directory)]
        addresses = ["--listen-address", self._webhook, "--web-address", self._web]
        with self._log.open("wb") as log:
            self._system = subprocess.Popen(
                [sys.executable, str(MANAGE), *arguments, *addresses],
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_for(self._is_ready, "the webhook", START_TIMEOUT)
        self._print(f"source registry  {self._source.host if self._sample else ImageRef.parse(self.image).registry}")
        self._print(f"your registry    {self._target.host}")
        self._print(f"webhook          https://{self._webhook}/webhook")

    def _configuration(self) -> dict[str, Any]:
        sources = [{"type": "oci", "host": self._source.host, "insecure": True}] if self._sample else []
        return {
            "dryRun": False,
            "logFormat": "console",
            "source": {"registries": sources},
            "target": {"type": "oci", "oci": {"endpoint": self._target.host, "insecure": True}},
        }

    def _is_ready(self) -> bool:
        try:
            return self._request("GET", "/readyz").status == 200
        except (urllib3.exceptions.HTTPError, OSError):
            return False

    def _request(self, method: str, path: str, body: bytes | None = None) -> urllib3.BaseHTTPResponse:
        context = ssl.create_default_context(cafile=str(self._directory / "webhook.crt"))
        with urllib3.PoolManager(ssl_context=context, retries=False, timeout=15) as pool:
            return pool.request(method, f"https://{self._webhook}{path}", body=body)

    def _admit(self, *, dry_run: bool = False) -> dict[str, Any]:
        """Return the webhook's response to the creation of the pod. A dry run, as of kubectl, is not counted."""
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "frontend", "namespace": "shop"},
            "spec": {"containers": [{"name": "frontend", "image": self.image}]},
        }
        review = {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": str(uuid.uuid4()),
                "resource": {"group": "", "version": "v1", "resource": "pods"},
                "operation": "CREATE",
                "namespace": "shop",
                "dryRun": dry_run,
                "object": pod,
            },
        }
        response: dict[str, Any] = self._request("POST", "/webhook", json.dumps(review).encode()).json()["response"]
        return response

    def _would_swap(self) -> bool:
        return "patch" in self._admit(dry_run=True)

    def _show_response(self, response: dict[str, Any]) -> None:
        if "patch" not in response:
            self._print("allowed, [yellow]kept as it is[/]: not mirrored yet; a copy is requested")
            return
        self._print("allowed, [green]swapped[/] by this JSON patch:")
        self._console.print(JSON(base64.b64decode(response["patch"]).decode()))

    def _wait_for_copy(self) -> MirrorJob:
        job = self._wait_for(_newest_job, "the copy's job", START_TIMEOUT)
        columns = (
            BarColumn(),
            DownloadColumn(binary_units=True),
            # Without a terminal, the bar is printed only once, after the copy, when it no longer has a speed.
            *([TransferSpeedColumn()] if self._console.is_terminal else []),
            TextColumn("{task.description}"),
        )
        with Progress(*columns, console=self._console) as bar:
            task = bar.add_task("pending", total=None)
            deadline = time.monotonic() + COPY_TIMEOUT
            while job.status not in MirrorJob.TERMINAL:
                if time.monotonic() > deadline:
                    raise DemoError(f"the copy did not finish in time.\n{self._log_tail()}")
                time.sleep(0.1)
                job.refresh_from_db()
                row = JobProgress.objects.filter(job=job).first()
                if row is not None and row.bytes_total:
                    done = row.bytes_copied + row.bytes_mounted + row.bytes_skipped
                    bar.update(task, total=row.bytes_total, completed=done)
                bar.update(task, description=job.status)
        if job.status != JobStatus.SUCCEEDED:
            raise DemoError(f"the copy {job.status}: {job.error_message}\n{self._log_tail()}")
        return job

    def _compare(self, job: MirrorJob) -> None:
        """Pull the mirrored manifest as a kubelet would, and compare its digest with the source's."""
        target = ImageRef.parse(job.mapping.target)
        accept = "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, "
        accept += "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
        url = f"http://{target.registry}/v2/{target.repository}/manifests/{target.manifest_reference}"
        body = urllib3.request("GET", url, headers={"Accept": accept}, retries=False, timeout=15).data
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        job.mapping.refresh_from_db()
        if digest != job.mapping.source_digest:
            raise DemoError(f"{target} has {digest}, its source {job.mapping.source_digest}.")
        platforms = ", ".join(job.mapping.platforms)
        self._print(
            f"{target}\n{digest}  [green]the same as at the source[/]" + (f" ({platforms})" if platforms else "")
        )

    def _wait_for(self, check: Callable[[], T | None], what: str, timeout: float) -> T:
        deadline = time.monotonic() + timeout
        while not (result := check()):
            has_exited = self._system is not None and self._system.poll() is not None
            if has_exited or time.monotonic() > deadline:
                raise DemoError(f"Timed out waiting for {what}.\n{self._log_tail()}")
            time.sleep(0.1)
        return result

    def _log_tail(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n".join(["The end of the log:", *lines[-LOG_LINES:]])

    def _title(self, text: str) -> None:
        self._console.print(f"\n[bold]{text}[/]")

    def _print(self, text: str) -> None:
        self._console.print(f"  {text}", soft_wrap=True)


def _newest_job() -> MirrorJob | None:
    try:
        return MirrorJob.objects.select_related("mapping").order_by("-id").first()
    except DatabaseError:
        return None


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
