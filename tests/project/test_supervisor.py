"""``manage.py up`` restarts a process that is killed, leaves no process behind, and stops if a process cannot start."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.databases import ROOT
from tests.support.ports import free_port, wait_until
from tests.support.system import POOL, Process, write_config


@contextlib.contextmanager
def up(directory: Path, *arguments: str) -> Iterator[tuple[Process, dict[str, int]]]:
    """Run the whole system. Yield its process and its ports."""
    config = write_config(directory / "config.yaml", target="mirror.example.com:5000")
    ports = {name: free_port() for name in ("listen", "web", "metrics")}
    addresses = [f"--{name}-address=127.0.0.1:{port}" for name, port in ports.items()]
    command = [sys.executable, "manage.py", "up", "--config", str(config), "--data-dir", str(directory / "data")]
    environment = {"SWAPPER_DATABASE_URL": "", "SWAPPER_SECRET_KEY": "", "SWAPPER_DATA_DIR": str(directory / "data")}
    process = Process([*command, "--no-tls", *addresses, *arguments], environment, directory / "up.log")
    process.start()
    try:
        yield process, ports
    finally:
        process.stop()


def answers(port: int, path: str = "/livez") -> bool:
    try:
        url = f"http://127.0.0.1:{port}{path}"
        return POOL.request("GET", url, headers={"Connection": "close"}, retries=False, timeout=2).status == 200
    except Exception:
        return False


def members(group: int) -> set[int]:
    """Return the running processes of a process group."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group and fields[0] != "Z":
                found.add(int(stat.parent.name))
    return found


def worker_of(process: Process) -> int | None:
    assert process.popen is not None
    parent = process.popen.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    for child in children:
        with contextlib.suppress(OSError):
            if re.search(r"manage\.py\0worker", Path(f"/proc/{child}/cmdline").read_text()):
                return int(child)
    return None


def test_a_killed_worker_is_restarted_while_the_webhook_stays_ready(tmp_path: Path) -> None:
    with up(tmp_path) as (process, ports):
        for port in ports.values():
            wait_until(partial(answers, port), timeout=150, what=f"the whole system (log: {process.log})")
        first = worker_of(process)
        assert first is not None
        assert len(members(first)) > 2, "parent, sentinel, and what that has started"

        os.kill(first, signal.SIGKILL)

        wait_until(lambda: worker_of(process) not in (None, first), what="another worker")
        assert answers(ports["listen"], "/readyz")
        wait_until(lambda: not members(first), what="the end of all that the first one had started")
        wait_until(lambda: answers(ports["metrics"]), what="the new worker's sign of life")


def test_a_process_that_fails_to_start_stops_all_processes() -> None:
    program = (
        "from swapper_project.process.supervisor import *;"
        "raise SystemExit(Supervisor([Program('well', ['sleep', '300'], {}), Program('ill', ['false'], {})]).run())"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1
    assert "A process exited during its start" in result.stdout + result.stderr


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--web-address=bogus", "is not a valid address and port"),
        ("--data-dir=/proc/nope", "/proc/nope"),
        ("--tls-cert-file=/no/such.crt", "tlsCertFile and tlsKeyFile must be set together"),
    ],
)
def test_invalid_options_are_rejected_without_a_traceback(tmp_path: Path, argument: str, told: str) -> None:
    with up(tmp_path, argument) as (process, _):
        assert process.popen is not None
        assert process.popen.wait(60) == 2
    text = process.log.read_text()
    assert told in text
    assert "Traceback" not in text
