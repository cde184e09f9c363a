"""A small OCI registry in memory on 127.0.0.1, for the demo and for tests. Follows the OCI distribution API 1.1."""

from __future__ import annotations

import threading
from http.server import ThreadingHTTPServer
from types import TracebackType
from typing import Self

from mirrors.demo.gatekeeper import Gatekeeper
from mirrors.demo.handler import Handler
from mirrors.demo.memory_storage import Storage


class MemoryRegistry:
    """Started by `start()` or a `with` block. `gatekeeper` requires authentication, None allows anonymous access."""

    def __init__(self, *, port: int = 0, gatekeeper: Gatekeeper | None = None) -> None:
        self.storage = Storage()
        self.gatekeeper = gatekeeper
        self._server = _Server(("127.0.0.1", port), Handler)
        self._server.registry = self
        # A hundred times a second it looks whether it is to stop: tests start and stop thousands.
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def host(self) -> str:
        """`127.0.0.1:port`, as in image references."""
        return f"127.0.0.1:{self._server.server_port}"

    def start(self) -> Self:
        self._thread.start()
        return self

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def intercept(self, handler: Handler) -> bool:
        """Called before each request is looked at. True means that the answer was given here."""
        return False

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Server(ThreadingHTTPServer):
    registry: MemoryRegistry
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are no news."""
