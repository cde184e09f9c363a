"""What request threads hand to the store's thread, each with the future of its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from mirrors.known import KnownMapping
from mirrors.services import MirrorOrder, OrderOutcome


class StoreUnavailableError(Exception):
    """The database is away, or the store has more to do than it may take on."""


@dataclass(frozen=True, slots=True)
class Lookup:
    targets: Mapping[str, str]
    future: Future[dict[str, KnownMapping]] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Inside:
    """Which mappings of private images have their target in one of these repositories."""

    repositories: Sequence[str]
    future: Future[list[KnownMapping]] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class Orders:
    orders: Sequence[MirrorOrder]
    future: Future[list[OrderOutcome]] = field(default_factory=Future)


@dataclass(frozen=True, slots=True)
class JobWait:
    job_id: int
    since: float
    future: Future[str] = field(default_factory=Future)


Message = Lookup | Inside | Orders | JobWait
