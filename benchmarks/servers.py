"""The measured servers: gunicorn on 127.0.0.1, with their CPU time and memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3

from tests.support.ports import free_port, wait_until
from tests.support.system import Process

TICKS = os.sysconf("SC_CLK_TCK")
POOL = urllib3.PoolManager(cert_reqs="CERT_NONE")
urllib3.disable_warnings()


@dataclass(frozen=True, slots=True)
class Server:
    """A running gunicorn. ``path`` is the path of reviews."""

    name: str
    base: str
    path: str
    pid: int

    @property
    def url(self) -> str:
        return self.base + self.path

    def cpu_seconds(self) -> float:
        """Return the user and system time of master and workers so far."""
        return sum(_cpu_ticks(pid) for pid in self._pids()) / TICKS

    def resident_mib(self) -> float:
        """Return the resident memory of the largest process, which is the one that serves."""
        return max(_resident_kib(pid) for pid in self._pids()) / 1024

    def _pids(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return [self.pid, *(int(child) for child in children)]


@contextmanager
def serve(
    name: str,
    directory: Path,
    *,
    path: str,
    conf: str,
    app: str,
    environment: dict[str, str],
    tls: tuple[Path, Path] | None = None,
    role: str = "webhook",
) -> Iterator[Server]:
    """Run gunicorn with these settings and this application until the block ends."""
    port = free_port()
    certificate = {"SWAPPER_TLS_CERT_FILE": str(tls[0]), "SWAPPER_TLS_KEY_FILE": str(tls[1])} if tls else {}
    process = Process(
        [sys.executable, "-m", "gunicorn", "-c", f"python:{conf}", app],
        {**environment, **certificate, "SWAPPER_ROLE": role, "SWAPPER_BIND": f"127.0.0.1:{port}"},
        directory / f"{name}-{'tls' if tls else 'plain'}.log",
        is_forked=False,
    )
    process.start()
    assert process.popen is not None
    server = Server(name, f"{'https' if tls else 'http'}://127.0.0.1:{port}", path, process.popen.pid)
    try:
        wait_until(lambda: _answers(server), timeout=30, what=f"an answer of {name} (log: {process.log})")
        yield server
    finally:
        process.stop()


def _answers(server: Server) -> bool:
    try:
        return (
            POOL.request("GET", f"{server.base}/readyz", headers={"Host": "localhost"}, retries=False, timeout=2).status
            == 200
        )
    except urllib3.exceptions.HTTPError:
        return False


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _resident_kib(pid: int) -> int:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1])
