"""The locations of blobs, in the database: the engine's mount index, shared by all workers."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Generic, TypeVar

import structlog
from django.db import DatabaseError, InterfaceError, close_old_connections, connection, transaction
from django.db.models import QuerySet
from django.db.models.functions import Now

from mirrors.models import Access, BlobLocation, ImageMapping, MappingAccess, Registry, RegistryRole
from mirrors.oci import Audience, MemoryMounts
from mirrors.oci.common.mount_index import FoundRepositories
from mirrors.selectors.queries.fixed_query import Argument, fixed_query
from mirrors.vocabulary.clusters import ClusterNamespace

log = structlog.get_logger(__name__)

LOOKUP_SECONDS: Final = 2.0
"""Seconds that a blob's thread waits for a lookup of the repositories from which the blob could be mounted."""

CANDIDATES: Final = 4
"""The maximum number of repositories from which mounting a blob is tried. The first one nearly always has the blob."""

MOST_LOOKUPS: Final = 100
"""The number of blobs after which one query looks up no further ones. It has less than twice as many, well below
SQLite's limit for parameters of a statement."""

CHECK_SECONDS: Final = 1.0
"""Seconds between two checks of the connection during lookups. Each check is an additional statement, and a job has
three lookups."""

LOCATIONS_PER_TRANSACTION: Final = 500
"""The maximum number of blob locations that one transaction writes, so that it holds its locks only briefly."""

MOST_MAPPINGS_CHECKED: Final = 200
"""The maximum number of mappings of a repository whose access is checked before a blob is mounted from it. Repositories
with more mappings are skipped."""

Blob = tuple[str, str, str]
"""Registry, digest, repository."""


T = TypeVar("T")


@dataclass(frozen=True)
class _Lookup(Generic[T]):
    """A lookup of a blob. ``query`` queries the database; ``default`` is the result if the database has no location of
    the blob. With ``is_located``, a location is known already, so that ``query`` is always called."""

    registry: str
    digest: str
    query: Callable[[], T]
    default: T
    is_located: bool = False
    result_future: Future[T] = field(default_factory=Future)


class DatabaseMounts:
    """The mount index: memory first, then the database. The engine's many blob threads share one thread with a database
    connection.

    While the database is unavailable, lookups find nothing and new locations are dropped. That only costs uploads.
    """

    def __init__(self) -> None:
        self._memory = MemoryMounts()
        self._lookups: queue.Queue[list[_Lookup[Any]]] = queue.Queue()
        self._new_locations: queue.SimpleQueue[Blob] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._next_check_at = 0.0

    def start_find(self, registry: str, digests: Sequence[str], audience: Audience | None) -> list[FoundRepositories]:
        found: list[FoundRepositories] = []
        lookups: list[_Lookup[Any]] = []
        for digest in digests:
            repositories = self._memory.find(registry, digest)
            if repositories and audience is None:
                found.append(partial(list, repositories))
                continue
            query = partial(_find, registry, digest, repositories, audience)
            lookups.append(_Lookup(registry, digest, query, [], is_located=bool(repositories)))
            found.append(partial(_wait_for, lookups[-1]))
        self._start_lookups(lookups)
        return found

    def holds(self, registry: str, digest: str, repository: str) -> bool:
        if self._memory.holds(registry, digest, repository):
            return True
        lookup = _Lookup(registry, digest, partial(_holds, registry, digest, repository), False)
        self._start_lookups([lookup])
        return _wait_for(lookup)

    def _start_lookups(self, lookups: list[_Lookup[Any]]) -> None:
        self._start()
        for start in range(0, len(lookups), MOST_LOOKUPS):
            self._lookups.put(lookups[start : start + MOST_LOOKUPS])

    def record(self, registry: str, digest: str, repository: str) -> None:
        if repository not in self._memory.find(registry, digest):
            self._start()
            self._new_locations.put((registry, digest, repository))
        self._memory.record(registry, digest, repository)

    def close(self) -> None:
        """Write the locations that are not saved yet, and stop the thread."""
        self._stopping.set()
        # Wake the thread, which otherwise waits up to half a second for the next lookup.
        self._lookups.put([])
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
                log.exception("Cannot read or write blob locations; uploading the blobs")
        try:
            self._flush()
        except Exception:
            log.exception("Cannot save blob locations; the blobs will be uploaded again")
        connection.close()

    def _turn(self) -> None:
        try:
            lookups = self._lookups.get(timeout=0.5)
        except queue.Empty:
            self._flush()
            return
        # Combine lookups: the blobs of all images are looked up at the same time, and nearly all blobs are new.
        while len(lookups) < MOST_LOOKUPS and not self._lookups.empty():
            lookups += self._lookups.get()
        try:
            # A connection that is lost between two checks only costs uploads of these blobs.
            if time.monotonic() >= self._next_check_at:
                self._next_check_at = time.monotonic() + CHECK_SECONDS
                close_old_connections()
            _resolve(lookups)
        except Exception as error:
            # Fail the lookups with any error, because blob threads wait for them.
            for lookup in lookups:
                if not lookup.result_future.done():
                    lookup.result_future.set_exception(error)
            connection.close()

    def _flush(self) -> None:
        blobs: set[Blob] = set()
        while len(blobs) < LOCATIONS_PER_TRANSACTION and not self._new_locations.empty():
            blobs.add(self._new_locations.get())
        if not blobs:
            return
        try:
            close_old_connections()
            with transaction.atomic():
                _write(sorted(blobs))
        except (DatabaseError, InterfaceError) as error:
            log.warning("Cannot save blob locations; the blobs will be uploaded again", error=str(error))
            connection.close()


def _wait_for(lookup: _Lookup[T]) -> T:
    try:
        return lookup.result_future.result(LOOKUP_SECONDS)
    except Exception as error:
        log.warning("Cannot look up blob locations; uploading the blob", error=str(error))
        return lookup.default


def _resolve(lookups: Sequence[_Lookup[Any]]) -> None:
    """Find out with one query which of the blobs have a location, then look up each of these separately."""
    new = {lookup.digest for lookup in lookups if not lookup.is_located}
    located = set(_located_blobs(*_padded(sorted(new)))) if new else set()
    for lookup in lookups:
        has_location = lookup.is_located or (lookup.registry, lookup.digest) in located
        lookup.result_future.set_result(lookup.query() if has_location else lookup.default)


def _padded(digests: list[str]) -> list[str]:
    """Repeat the first digest until their number is a power of two, so that the query has only a few variants of
    SQL."""
    size = 1 << (len(digests) - 1).bit_length()
    return digests + digests[:1] * (size - len(digests))


@fixed_query
def _located_blobs(*digests: Argument) -> QuerySet[BlobLocation, Any]:
    rows = BlobLocation.objects.filter(registry__role=RegistryRole.TARGET, digest__in=digests)
    return rows.values_list("registry__endpoint", "digest").distinct()


def _locations(registry: str, digest: str) -> QuerySet[BlobLocation]:
    return BlobLocation.objects.filter(
        registry__endpoint=registry, registry__role=RegistryRole.TARGET, digest=digest
    ).order_by("-seen_at")


def _holds(registry: str, digest: str, repository: str) -> bool:
    return _locations(registry, digest).filter(repository=repository).exists()


def _find(registry: str, digest: str, known_repositories: list[str], audience: Audience | None) -> list[str]:
    candidates = known_repositories or list(
        _locations(registry, digest).values_list("repository", flat=True)[:CANDIDATES]
    )
    if audience is None:
        return candidates
    return [repository for repository in candidates if _is_readable(registry, repository, audience)]


def _is_readable(registry: str, repository: str, audience: Audience) -> bool:
    """Return whether everyone in ``audience`` has access to each image of the repository: it is not known to which
    of the images a blob belongs."""
    at_targets = ImageMapping.objects.filter(target_registry__role=RegistryRole.TARGET)
    mappings = at_targets.in_repositories([f"{registry}/{repository}"])
    rows = list(mappings.values_list("id", "source", "access")[: MOST_MAPPINGS_CHECKED + 1])
    if not rows or len(rows) > MOST_MAPPINGS_CHECKED:
        return False
    granted = MappingAccess.objects.filter(
        mapping__in=[pk for pk, _, _ in rows], granted=True, namespace__in={n.namespace for n in audience.namespaces}
    )
    by_mapping: dict[int, set[ClusterNamespace]] = {}
    for mapping_id, cluster, namespace in granted.values_list("mapping_id", "cluster", "namespace"):
        by_mapping.setdefault(mapping_id, set()).add(ClusterNamespace(cluster, namespace))
    return all(_may_read(source, access, by_mapping.get(pk, set()), audience) for pk, source, access in rows)


def _may_read(source: str, access: str, granted: set[ClusterNamespace], audience: Audience) -> bool:
    if access == Access.ANONYMOUS:
        return True
    if audience.is_public:
        return False
    if audience.configured_host:
        return access == Access.CONFIGURED and source.startswith(f"{audience.configured_host}/")
    return bool(audience.namespaces) and audience.namespaces <= granted


def _write(blobs: list[Blob]) -> None:
    """Write the locations. The blobs must be sorted: writers that lock the same rows in different orders deadlock."""
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
