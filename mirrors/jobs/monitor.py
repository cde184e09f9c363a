"""The worker's own small HTTP server: metrics of all its processes, and its sign of life."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import structlog
from prometheus_client import CONTENT_TYPE_LATEST

from mirrors.jobs import liveness
from swapper_project import metrics

log = structlog.get_logger(__name__)

DEFAULT_ADDRESS: Final = "127.0.0.1:8001"
ALIVE_WITHIN: Final = 60.0
"""Seconds since the last sign of life after which the worker is taken for stuck."""


class Handler(BaseHTTPRequestHandler):
    """``GET /metrics``, and ``GET /livez`` for a kubelet."""

    timeout = 5

    def do_GET(self) -> None:  # noqa: N802
        match self.path.partition("?")[0]:
            case "/metrics":
                self._answer(200, metrics.text("worker"), CONTENT_TYPE_LATEST)
            case "/livez":
                age = liveness.age()
                is_alive = age is not None and age < ALIVE_WITHIN
                self._answer(200 if is_alive else 503, b"ok\n" if is_alive else b"no sign of life: see the log\n")
            case _:
                self._answer(404, b"there are /metrics and /livez\n")

    def _answer(self, status: int, body: bytes, content_type: str = "text/plain") -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Probes come every few seconds."""


def serve_in_background(address: str) -> None:
    """Serve until the process ends; to be called after the fork. An address that is taken costs the metrics alone."""
    host, _, port = address.rpartition(":")
    try:
        server = ThreadingHTTPServer((host.strip("[]"), int(port)), Handler)
    except OSError as error:
        log.error(
            "The worker's metrics cannot be served; set SWAPPER_BIND to a free address",
            address=address,
            error=error.strerror,
        )
        return
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="monitor", daemon=True).start()
    log.info("The worker's metrics are served", address=address)
