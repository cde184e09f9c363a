"""Messages of request threads to the database thread, each with the future of its result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field
from typing import TypeVar

from mirrors.selectors.images.mapping_snapshot import MappingSnapshot
from mirrors.services import RequestedCopy, RequestOutcome

T = TypeVar("T")


class DatabaseUnavailableError(Exception):
    """The database is unavailable, or the queue of its thread is full."""


@dataclass(frozen=True, slots=True)
class Lookup:
    targets: Mapping[str, str]
    future: Future[dict[str, MappingSnapshot]] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class RepositoryLookup:
    """A lookup of the mappings of private images whose target is in one of these repositories."""

    repositories: Sequence[str]
    future: Future[list[MappingSnapshot]] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class RequestedCopies:
    requests: Sequence[RequestedCopy]
    future: Future[list[RequestOutcome]] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class JobWait:
    job_id: int
    since: float
    future: Future[str] = field(default_factory=Future)


Message = Lookup | RepositoryLookup | RequestedCopies | JobWait


def await_result(future: Future[T] | None, timeout: float) -> T | None:
    """Return the result; None if it is not available within ``timeout`` seconds, or the database is unavailable."""
    if future is None:
        return None
    try:
        return future.result(timeout)
    except (FutureTimeoutError, DatabaseUnavailableError):
        return None
