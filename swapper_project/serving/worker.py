"""A variant of gunicorn's threaded worker in which only complete requests get a thread.

In gunicorn's own worker, a client that sends nothing on a new connection, or only a part of a request, blocks a thread
for seconds or permanently. In this worker, the poller collects handshakes and requests, and closes connections that
take too long.
"""

from __future__ import annotations

import errno
import socket
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from selectors import EVENT_READ
from typing import Any, Final

from gunicorn import util
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.workers.gthread import ThreadWorker

from swapper_project.serving import arrival, invalid_requests
from swapper_project.serving.awaited import AwaitedConnections
from swapper_project.serving.connection import READ_SIZE, Connection, Phase
from swapper_project.serving.handshakes import FailedHandshakes

DRAIN_SECONDS: Final = 10.0
"""Seconds for which a stopping worker still accepts connections at most. It closes each with its next response."""

QUIET_SECONDS: Final = 1.0
"""Seconds without a new connection after which a stopping worker without open connections stops waiting."""

ACCEPTED_AT_ONCE: Final = 64
"""The maximum number of connections accepted in one turn, so that open ones do not wait during a burst of new ones."""

HANDSHAKE_THREADS: Final = 2
"""Threads for steps of TLS handshakes. The steps need CPU time, and a pod has one or two CPUs."""


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """The worker. All methods except ``handle`` and ``_reject`` run on the poller's thread."""

    keepalived_conns: deque[Connection]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._awaited = AwaitedConnections()
        self._handshakes = ThreadPoolExecutor(HANDSHAKE_THREADS, thread_name_prefix="handshake")
        self._failed_handshakes = FailedHandshakes()
        self._last_accept = 0.0

    # The life of a connection: accept, handshake, collect a request, respond, keep the connection or close it.

    def accept(self, listener: Any) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            try:
                client_sock, client = listener.accept()
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE):
                    self._close_idle()
                elif error.errno not in (errno.EAGAIN, errno.ECONNABORTED):
                    raise
                return
            self.nr_conns += 1
            self._last_accept = time.monotonic()
            if self.nr_conns > self.worker_connections:
                self._close_idle()
            conn = Connection(self.cfg, client_sock, client, listener.getsockname())
            self._awaited.expect_request(conn)
            self._watch(conn)

    def _on_readable(self, conn: Connection, client: socket.socket) -> None:
        match conn.phase:
            case Phase.HANDSHAKE:
                self._start_handshake_step(conn)
            case Phase.IDLE:
                self.keepalived_conns.remove(conn)
                self._awaited.expect_request(conn, Phase.READING)
                self._read_request(conn)
            case Phase.CLOSING:
                self._finish_close(conn)
            case _:
                self._read_request(conn)

    def _watch(self, conn: Connection) -> None:
        self.poller.register(conn.sock, EVENT_READ, partial(self._on_readable, conn))

    def _start_handshake_step(self, conn: Connection) -> None:
        """Run the next step of the handshake on another thread, because it needs much CPU time."""
        self.poller.unregister(conn.sock)
        conn.phase = Phase.HANDSHAKE_STEP
        step = self._handshakes.submit(conn.advance_handshake)
        step.add_done_callback(lambda done: self.method_queue.defer(self._after_handshake_step, conn, done))

    def _after_handshake_step(self, conn: Connection, step: Future[bool]) -> None:
        if step.cancelled() or step.exception() is not None or conn.timeout <= time.monotonic():
            if not step.cancelled():
                self._failed_handshakes.record(step.exception(), conn.client)
            self._awaited.remove(conn)
            self._close(conn)
            return
        self._watch(conn)
        conn.phase = Phase.READING if step.result() else Phase.HANDSHAKE
        if step.result():
            self._read_request(conn)

    def _read_request(self, conn: Connection) -> None:
        try:
            is_complete = conn.receive()
        except (OSError, EOFError) as error:
            self._failed_handshakes.record(error, conn.client)
            self._drop(conn)
            return
        if is_complete:
            conn.completed_at = time.monotonic()
            self._awaited.remove(conn)
            self.poller.unregister(conn.sock)
            self.enqueue_req(conn)
        elif (oldest := self._awaited.connection_to_drop(conn)) is not None:
            self.log.warning("A request was dropped: incomplete requests use too much memory")
            self._drop(oldest)

    def finish_request(self, conn: Connection, done: Future[bool]) -> None:
        """Keep or close a connection after its response."""
        if done.cancelled() or done.exception() is not None or not done.result():
            self._start_close(conn)
            return
        conn.sock.settimeout(0)
        self._watch(conn)
        if conn.buffer:
            # The client has sent the next request without waiting for the response.
            self._awaited.expect_request(conn, Phase.READING)
            self._read_request(conn)
        else:
            conn.phase = Phase.IDLE
            conn.set_timeout()
            self.keepalived_conns.append(conn)

    def _start_close(self, conn: Connection) -> None:
        """Close the server's side first, the rest after the client has read the response (RFC 9112 section 9.6)."""
        try:
            conn.sock.settimeout(0)
            conn.sock.shutdown(socket.SHUT_WR)
            self._watch(conn)
        except (OSError, ValueError):
            self._close(conn)
            return
        self._awaited.expect_close(conn)

    def _finish_close(self, conn: Connection) -> None:
        try:
            is_closed = not conn.sock.recv(READ_SIZE)
        except OSError as error:
            is_closed = not isinstance(error, BlockingIOError)
        if is_closed:
            self._drop(conn)

    def _drop(self, conn: Connection) -> None:
        self._awaited.remove(conn)
        self.poller.unregister(conn.sock)
        self._close(conn)

    def _close(self, conn: Connection) -> None:
        self.nr_conns -= 1
        conn.close()

    def _close_idle(self) -> None:
        """Close the connection that has been silent for the longest time."""
        idle = self._awaited.oldest()
        if idle is None and self.keepalived_conns:
            idle = self.keepalived_conns.popleft()
        if idle is not None:
            self._drop(idle)

    def murder_pending(self) -> None:
        """Close the connections whose deadline has passed, but a handshake only after a step that is in progress."""
        for conn in self._awaited.expired():
            self._drop(conn)

    # Methods for one request, on a thread of the pool.

    def handle(self, conn: Connection) -> bool:
        """Respond to a request. Return whether the connection is kept. Never raises."""
        request = None
        arrival.record(conn.completed_at)
        try:
            request = conn.next_request()
            if not self.alive or conn.is_expired:
                request.force_close()
            return bool(self.handle_request(request, conn))
        except ParseException as error:
            self._reject(conn, error)
        except (NoMoreData, StopIteration, OSError) as error:
            self.log.debug("A connection was closed in the middle of a request: %s", error)
        except Exception as error:
            self.handle_error(request, conn.sock, conn.client, error)
        return False

    def _reject(self, conn: Connection, error: ParseException) -> None:
        try:
            util.write(conn.sock, invalid_requests.response(error))
        except OSError as write_error:
            self.log.debug("A client did not wait for its refusal: %s", write_error)

    # The life of the worker.

    def run(self) -> None:
        self.poller.register(self.method_queue.fileno(), EVENT_READ, self.method_queue.run_callbacks)
        self.set_accept_enabled(True)
        while self.alive and self.is_parent_alive():
            self._poll_once(1.0)
        self._drain()
        self.tpool.shutdown(wait=False)
        self._handshakes.shutdown(wait=False)
        self.poller.close()
        self.method_queue.close()
        for listener in self.sockets:
            listener.close()

    def _poll_once(self, timeout: float) -> None:
        self.notify()
        self.wait_for_and_dispatch_events(timeout=timeout)
        self.murder_keepalived()
        self.murder_pending()

    def _drain(self) -> None:
        """Continue to serve while each response closes its connection. After that, close the remaining connections."""
        self.alive = False
        started_at = time.monotonic()
        while time.monotonic() < started_at + DRAIN_SECONDS and (
            self.nr_conns or time.monotonic() < self._last_accept + QUIET_SECONDS
        ):
            self._poll_once(0.1)
        self.set_accept_enabled(False)
        self.murder_keepalived(force=True)
        while time.monotonic() < started_at + self.cfg.graceful_timeout and self.nr_conns:
            self._poll_once(0.1)
