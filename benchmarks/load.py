"""Load by wrk over keep-alive connections on the loopback, and its effect on the server."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import Server

_UNITS = {"us": 0.001, "ms": 1.0, "s": 1_000.0, "m": 60_000.0}


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of one run. Response times are milliseconds; ``cpu_us`` is the server's own CPU time in microseconds
    per request."""

    requests: int
    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    resident_mib: float


def drive(server: Server, body: bytes, *, connections: int, seconds: int, directory: Path) -> Measured:
    """Post ``body`` as fast as the server responds. Raises RuntimeError if a response does not have status 2xx."""
    script = directory / "post.lua"
    quoted = json.dumps(body.decode()).replace("\\/", "/")
    script.write_text(f'wrk.method = "POST"\nwrk.body = {quoted}\nwrk.headers["Content-Type"] = "application/json"\n')
    before = server.cpu_seconds()
    result = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), server.url],
        capture_output=True,
        text=True,
        check=True,
        timeout=seconds + 30,
    )
    used = server.cpu_seconds() - before
    text = result.stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(f"{server.name} did not answer all requests:\n{text}")
    requests = int(_find(r"(\d+) requests in", text))
    return Measured(
        requests=requests,
        per_second=float(_find(r"Requests/sec:\s+([\d.]+)", text)),
        p50_ms=_milliseconds(_find(r"\n\s+50%\s+(\S+)", text)),
        p99_ms=_milliseconds(_find(r"\n\s+99%\s+(\S+)", text)),
        cpu_us=used / requests * 1e6,
        resident_mib=server.resident_mib(),
    )


def _find(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise RuntimeError(f"wrk printed something unexpected:\n{text}")
    return found[1]


def _milliseconds(text: str) -> float:
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    assert found is not None, text
    return float(found[1]) * _UNITS[found[2]]
