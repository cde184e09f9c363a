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
    """An in-memory registry, started by `start()` or a `with` block.

    With a `gatekeeper` it requires authentication; with None it allows anonymous access.
    """

    def __init__(self, *, port: int = 0, gatekeeper: Gatekeeper | None = None) -> None:
        self.storage = Storage()
        self.gatekeeper = gatekeeper
        self._server = _Server(("127.0.0.1", port), Handler)
        self._server.registry = self
        # The server checks every 0.01 seconds whether it must stop, because tests start and stop thousands of them.
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
        """Hook for subclasses, called before each request is handled. Return True if it has sent the response."""
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
        """Do not log errors: clients may disconnect at any time."""
