"""Where blobs are, in the database: the engine's mount index, shared by all workers."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from typing import Final

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, transaction
from django.db.models.functions import Now

from mirrors.models import BlobLocation, Registry, RegistryRole
from mirrors.oci import MemoryMounts

log = structlog.get_logger(__name__)

PATIENCE: Final = 2.0
"""Seconds that a blob waits for the database to tell where it could be mounted from."""

CANDIDATES: Final = 4
BATCH: Final = 500

Blob = tuple[str, str, str]
"""Registry, digest, repository."""


class DatabaseMounts:
    """Memory first, then the database. One thread has the connection: the engine's many blob threads share it.

    Where the database is away, nothing is found and what was learnt is forgotten: that costs an upload, no more.
    """

    def __init__(self) -> None:
        self._memory = MemoryMounts()
        self._asked: queue.Queue[tuple[str, str, Future[list[str]]]] = queue.Queue()
        self._learnt: queue.SimpleQueue[Blob] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def find(self, registry: str, digest: str) -> list[str]:
        if known := self._memory.find(registry, digest):
            return known
        self._start()
        answer: Future[list[str]] = Future()
        self._asked.put((registry, digest, answer))
        try:
            return answer.result(PATIENCE)
        except TimeoutError:
            return []

    def record(self, registry: str, digest: str, repository: str) -> None:
        if repository not in self._memory.find(registry, digest):
            self._start()
            self._learnt.put((registry, digest, repository))
        self._memory.record(registry, digest, repository)

    def close(self) -> None:
        """Write what is left, and end."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(5)

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mounts", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._turn()
            except Exception:
                log.exception("Where blobs are cannot be looked up or written; they are uploaded")
        self._flush()
        connection.close()

    def _turn(self) -> None:
        try:
            registry, digest, answer = self._asked.get(timeout=0.5)
        except queue.Empty:
            self._flush()
            return
        found: list[str] = []
        try:
            close_old_connections()
            found = self._look_up(registry, digest)
        finally:
            # Whatever happened: a blob waits for this.
            answer.set_result(found)

    def _look_up(self, registry: str, digest: str) -> list[str]:
        rows = BlobLocation.objects.filter(
            registry__endpoint=registry, registry__role=RegistryRole.TARGET, digest=digest
        ).order_by("-seen_at")
        try:
            return list(rows.values_list("repository", flat=True)[:CANDIDATES])
        except (DatabaseError, InterfaceError):
            connection.close()
            return []

    def _flush(self) -> None:
        blobs: set[Blob] = set()
        while len(blobs) < BATCH and not self._learnt.empty():
            blobs.add(self._learnt.get())
        if not blobs:
            return
        try:
            close_old_connections()
            with transaction.atomic():
                _write(sorted(blobs))
        except (DatabaseError, InterfaceError) as error:
            log.warning("Where blobs are cannot be written; they will be uploaded again", error=str(error))
            connection.close()


def _write(blobs: list[Blob]) -> None:
    """In one order for all writers, or two that touch the same rows deadlock."""
    hosts = {registry for registry, _, _ in blobs}
    targets = Registry.objects.filter(role=RegistryRole.TARGET, endpoint__in=hosts).order_by("enabled", "-id")
    ids = dict(targets.values_list("endpoint", "id"))
    BlobLocation.objects.bulk_create(
        [
            BlobLocation(registry_id=ids[registry], digest=digest, repository=repository, seen_at=Now())
            for registry, digest, repository in blobs
            if registry in ids
        ],
        update_conflicts=True,
        unique_fields=["registry", "digest", "repository"],
        update_fields=["seen_at"],
    )
