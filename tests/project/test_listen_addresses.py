"""Listening addresses: all addresses include IPv4 and IPv6, and the log at startup names the address."""

from __future__ import annotations

import json
import socket
import subprocess
from functools import partial
from pathlib import Path

import pytest

from swapper_project.process.monitoring import listening
from tests.support.ports import free_port, wait_until
from tests.support.system import GUNICORN, POOL, Process, write_config

KEY = "0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def answers(host: str, port: int) -> bool:
    try:
        return POOL.request("GET", f"http://{host}:{port}/livez", retries=False, timeout=2).status == 200
    except Exception:
        return False


@pytest.mark.parametrize("role", ["webhook", "web"])
@pytest.mark.parametrize("host", ["", "[::]"])
def test_a_server_listens_on_ipv4_and_ipv6_and_logs_its_addresses(role: str, host: str, tmp_path: Path) -> None:
    config = write_config(tmp_path / "config.yaml", target="mirror.example.com:5000", prefix="m", dryRun=True)
    port = free_port()
    environment = {
        "SWAPPER_ROLE": role,
        "SWAPPER_BIND": f"{host}:{port}",
        "SWAPPER_CONFIG": str(config),
        "SWAPPER_DATA_DIR": str(tmp_path),
        "SWAPPER_DATABASE_URL": "",
        "SWAPPER_SECRET_KEY": KEY,
    }
    process = Process(GUNICORN, environment, tmp_path / "log")
    process.start()
    hosts = ["127.0.0.1", *(["[::1]"] if socket.has_dualstack_ipv6() else [])]
    try:
        for address in hosts:
            wait_until(partial(answers, address, port), timeout=60, what=f"an answer at {address} ({process.log})")
    finally:
        process.stop()
    lines = [json.loads(line) for line in process.log.read_text().splitlines() if line.startswith("{")]
    (reported,) = [line for line in lines if "is listening" in line["message"]]
    assert (reported["target"], reported["dry_run"]) == ("mirror.example.com:5000/m", True)
    assert all(address.startswith("http://") and address.endswith(f":{port}") for address in reported["addresses"])


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "[::1]:8443", "0.0.0.0:80", "localhost:1"])
def test_a_specific_listen_address_is_unchanged(address: str) -> None:
    assert listening.for_gunicorn(address) == [address]


@pytest.mark.parametrize("address", [":8443", "[::]:8443"])
def test_without_ipv6_a_wildcard_address_listens_on_ipv4(address: str) -> None:
    program = (
        "from swapper_project.process.monitoring.listening import *; import errno, socket\n"
        "made = socket.socket\n"
        "class NoIPv6(made):\n"
        "    def __init__(self, family=-1, *rest, **more):\n"
        "        if family == socket.AF_INET6: raise OSError(errno.EAFNOSUPPORT, 'no IPv6')\n"
        "        super().__init__(family, *rest, **more)\n"
        "socket.socket = NoIPv6\n"
        f"print(for_gunicorn({address!r}), listen({address.replace('8443', '0')!r}).getsockname()[0])"
    )
    result = subprocess.run(
        [*GUNICORN[:1], "-c", program], capture_output=True, text=True, timeout=60, cwd=Path(__file__).parents[2]
    )
    assert result.stdout == "['0.0.0.0:8443'] 0.0.0.0\n", result.stderr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"SWAPPER_BIND": "127.0.0.1:99999"}, "SWAPPER_BIND: must be the address and port"),
        (
            {"SWAPPER_TLS_CERT_FILE": "/no/such.crt", "SWAPPER_TLS_KEY_FILE": "/no/such.key"},
            "not a matching certificate and key",
        ),
    ],
)
def test_an_invalid_address_or_certificate_is_reported_without_a_traceback(
    change: dict[str, str], words: str, tmp_path: Path
) -> None:
    environment = {"SWAPPER_ROLE": "webhook", "SWAPPER_DATA_DIR": str(tmp_path), "SWAPPER_SECRET_KEY": KEY, **change}
    process = Process(GUNICORN, environment, tmp_path / "log")
    process.start()
    assert process.popen is not None
    assert process.popen.wait(60) != 0
    assert words in process.log.read_text()
    assert "Traceback" not in process.log.read_text()
