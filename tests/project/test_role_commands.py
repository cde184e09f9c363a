"""`manage.py webhook` and `manage.py web`, the commands that containers run."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3

from tests.support.authority import Authority
from tests.support.ports import free_port, wait_until
from tests.support.system import POOL, Process, pod_of, review_of, run_manage, write_config


@contextmanager
def running(directory: Path, *arguments: str, url: str, **environment: str) -> Iterator[Process]:
    """Run the command, and yield its process when it is ready at ``url``."""
    process = Process([sys.executable, "manage.py", *arguments], environment, directory / "log")
    process.start()
    try:
        wait_until(lambda: is_ready(process, url), what="the process that is ready")
        yield process
    finally:
        process.stop()


def is_ready(process: Process, url: str) -> bool:
    assert process.popen is not None and process.popen.poll() is None, process.log.read_text()
    try:
        headers = {"Host": "localhost"}
        return POOL.request("GET", f"{url}/readyz", headers=headers, retries=False, timeout=5).status == 200
    except urllib3.exceptions.HTTPError:
        return False


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path / "config.yaml", target="mirror.example.com:5000")


def test_the_webhook_reads_address_and_certificate_from_flags(config: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue(tmp_path / "a.crt", tmp_path / "a.key")
    address = f"127.0.0.1:{free_port()}"
    flags = ["--listen-address", address, "--tls-cert-file", f"{tmp_path}/a.crt", "--tls-key-file", f"{tmp_path}/a.key"]
    flags += ["--config", str(config), "--data-dir", str(tmp_path), "--dry-run"]

    # The variables are those of another container, and flags take precedence.
    with running(tmp_path, "webhook", *flags, url=f"https://{address}", SWAPPER_ROLE="worker", SWAPPER_BIND=":1"):
        trusting = urllib3.PoolManager(ca_certs=str(authority.file))
        response = trusting.request("POST", f"https://{address}/webhook", json=review_of(pod_of("nginx")), timeout=10)

        assert response.json()["response"]["allowed"] is True
        assert '"dry_run":true' in (tmp_path / "log").read_text()


def test_the_webhook_reads_address_and_certificate_from_the_environment(config: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.issue(tmp_path / "a.crt", tmp_path / "a.key")
    address = f"127.0.0.1:{free_port()}"
    (tmp_path / "bind").write_text(address)
    environment = {
        "SWAPPER_BIND_FILE": f"{tmp_path}/bind",
        "SWAPPER_TLS_CERT_FILE": f"{tmp_path}/a.crt",
        "SWAPPER_TLS_KEY_FILE": f"{tmp_path}/a.key",
        "SWAPPER_CONFIG": str(config),
    }

    with running(tmp_path, "webhook", url=f"https://{address}", **environment):
        trusting = urllib3.PoolManager(ca_certs=str(authority.file))
        assert trusting.request("GET", f"https://{address}/", timeout=10).status == 200


def test_the_web_process_reads_its_address_from_a_flag(config: Path, tmp_path: Path) -> None:
    environment = {"SWAPPER_DATABASE_URL": f"sqlite:///{tmp_path}/swapper.sqlite3", "SWAPPER_CONFIG": str(config)}
    run_manage("prepare", environment=environment)
    port = free_port()

    url = f"http://127.0.0.1:{port}"
    with running(tmp_path, "web", "--listen-address", f":{port}", url=url, **environment) as web:
        assert web.stop(signal.SIGTERM) == 0


def test_an_unreadable_certificate_is_reported_on_one_line(config: Path, tmp_path: Path) -> None:
    flags = ["--config", str(config), "--tls-cert-file", "/no/such.crt", "--tls-key-file", "/no/such.key"]

    result = run_manage("webhook", *flags, "--data-dir", str(tmp_path), check=False)

    assert result.returncode == 2
    assert "/no/such.crt" in result.stderr and "tlsCertFile" in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["webhook", "web", "worker"])
def test_help_needs_no_settings(command: str) -> None:
    shown = run_manage(command, "--help", environment={"SWAPPER_SECRET_KEY": ""})

    assert f"manage.py {command}" in shown.stdout
