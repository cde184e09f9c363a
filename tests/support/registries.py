"""Real registries for tests: CNCF distribution, started on a free port with its own directory."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.authority import Authority
from tests.support.ports import free_port, wait_until
from tests.support.processes import end

USERNAME = "mirror"
PASSWORD = "correct horse"
# The bcrypt hash of PASSWORD at cost 4. distribution supports only bcrypt, which Python's standard library lacks.
HTPASSWD = "{username}:$2b$04$yjJCJP0pHdoVIuElLl3nQ.raTd4YnQPi4LVHa2XzLi.xJAbHaHQg6\n"

CONFIG = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: {is_quiet}}}}}
storage:
  filesystem: {{rootdirectory: {directory}/data}}
  delete: {{enabled: true}}
validation: {{manifests: {{urls: {{allow: ["^https://"]}}}}}}
http:
  addr: 127.0.0.1:{port}
{extra}
"""


@dataclass(frozen=True, slots=True)
class Registry:
    """A running registry. `host` is in the form of image references."""

    host: str
    ca_file: str | None = None
    data: Path = Path()
    log: Path = Path()


def require_docker_registry() -> None:
    """Skip the test with a message if the binary is not installed, or fail it in CI."""
    if shutil.which("docker-registry"):
        return
    if os.environ.get("CI") == "true":
        pytest.fail("docker-registry is missing: install Debian's package docker-registry")
    pytest.skip("needs Debian's package docker-registry")


@contextmanager
def distribution(
    directory: Path,
    *,
    htpasswd: bool = False,
    tls: bool = False,
    username: str = USERNAME,
    names: Sequence[str] = (),
    program: str = "docker-registry",
    logs_requests: bool = False,
) -> Iterator[Registry]:
    """Run a registry within the block. Its certificate is also valid for ``names``. With ``logs_requests``, each
    request and its status is a line of ``Registry.log``."""
    if program == "docker-registry":
        require_docker_registry()
    directory.mkdir(parents=True, exist_ok=True)
    port = free_port()
    extra = ""
    if tls:
        Authority(directory).issue(directory / "server.pem", directory / "server.key", names=names)
        extra += f"  tls: {{certificate: {directory}/server.pem, key: {directory}/server.key}}\n"
    if htpasswd:
        (directory / "htpasswd").write_text(HTPASSWD.format(username=username))
        extra += f"auth:\n  htpasswd: {{realm: tests, path: {directory}/htpasswd}}\n"
    config = directory / "config.yml"
    config.write_text(
        CONFIG.format(directory=directory, port=port, extra=extra, is_quiet=str(not logs_requests).lower())
    )
    with (directory / "log").open("wb") as log:
        environment = {"PATH": os.environ["PATH"], "OTEL_TRACES_EXPORTER": "none"}
        command = [program, "serve", str(config)]
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            wait_until(lambda: _is_open(port, process), what="docker-registry")
            ca_file = str(directory / "ca.pem") if tls else None
            yield Registry(f"127.0.0.1:{port}", ca_file, directory / "data", directory / "log")
        finally:
            end(process, patience=5)


def _is_open(port: int, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, "docker-registry exited immediately after its start"
    with socket.socket() as sock:
        sock.settimeout(0.5)
        return sock.connect_ex(("127.0.0.1", port)) == 0
