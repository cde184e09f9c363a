"""A small HTTP server for roles without another one: it serves probes, and the metrics of all processes of the role."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import structlog
from prometheus_client import CONTENT_TYPE_LATEST

from swapper_project.process.monitoring import metrics
from swapper_project.process.monitoring.listening import listen
from swapper_project.process.monitoring.process_readiness import Readiness

log = structlog.get_logger(__name__)

HEARTBEAT_TIMEOUT: Final = 60.0
"""Seconds without a sign of life after which a process counts as stuck."""


class ProbeHandler(BaseHTTPRequestHandler):
    """``GET /metrics``, and ``GET /livez`` and ``/readyz`` for a kubelet."""

    server: ProbeServer
    timeout = 5

    def do_GET(self) -> None:  # noqa: N802
        match self.path.partition("?")[0]:
            case "/metrics":
                self._respond(200, metrics.text(self.server.readiness.role), CONTENT_TYPE_LATEST)
            case "/livez":
                age = self.server.age()
                is_alive = age is not None and age < HEARTBEAT_TIMEOUT
                self._probe("" if is_alive else "no recent heartbeat: see the log")
            case "/readyz":
                self._probe(self.server.readiness.problem)
            case _:
                self._respond(404, b"the paths are /metrics, /livez and /readyz\n")

    def _probe(self, problem: str) -> None:
        self._respond(503 if problem else 200, f"{problem or 'ok'}\n".encode())

    def _respond(self, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing, because probes arrive every few seconds."""


class ProbeServer(ThreadingHTTPServer):
    """A server with a socket of ``listen``. ``age`` returns the seconds since the last sign of life; None before the
    first one."""

    daemon_threads = True

    def __init__(self, address: str, readiness: Readiness, age: Callable[[], float | None]) -> None:
        listening = listen(address)
        super().__init__(listening.getsockname()[:2], ProbeHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.readiness = readiness
        self.age = age


def serve_in_background(address: str, readiness: Readiness, age: Callable[[], float | None]) -> None:
    """Serve in a thread until the process exits; call this after the fork. If the address is in use, the process runs
    without metrics and probes."""
    role = readiness.role
    try:
        server = ProbeServer(address, readiness, age)
    except (OSError, OverflowError) as error:
        log.error(
            f"Metrics and probes of the {role} cannot be served; set SWAPPER_BIND to a free address of this machine",
            address=address,
            error=getattr(error, "strerror", None) or str(error),
        )
        return
    threading.Thread(target=server.serve_forever, name="monitor", daemon=True).start()
    log.info(f"Metrics and probes of the {role} are served", address=address)
