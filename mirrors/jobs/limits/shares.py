"""The slots of a process: no namespace and no source host gets more than half of them while jobs of others are due.

If no other jobs are due, one namespace or host can use all slots. Jobs of others that become due then get slots in
addition to the configured number, until the excess copies have ended. So endless copies never prevent those of others
from starting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from mirrors.vocabulary.clusters import ClusterNamespace


class Holder(Protocol):
    """A job that occupies a slot."""

    @property
    def cluster(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def source_host(self) -> str: ...


@dataclass(frozen=True, slots=True)
class FullShares:
    """The namespaces and source hosts that have their full share of slots."""

    namespaces: frozenset[ClusterNamespace] = frozenset()
    hosts: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.namespaces or self.hosts)


T = TypeVar("T")

NO_FULL_SHARES: Final = FullShares()


@dataclass(frozen=True, slots=True)
class FreeSlots:
    """The free slots: whether jobs of any namespace and host can be claimed, whether jobs outside ``full`` can, and the
    namespaces and hosts that have their full share."""

    for_any: bool
    for_others: bool
    full: FullShares


def free_slots(slots: int, holders: Collection[Holder]) -> FreeSlots:
    """Return the free slots of a process with ``slots`` slots, of which each of the ``holders`` occupies one."""
    share = max(1, slots // 2)
    namespaces = Counter(ClusterNamespace(holder.cluster, holder.namespace) for holder in holders)
    hosts = Counter(holder.source_host for holder in holders)
    excess = max((count - share for counts in (namespaces, hosts) for count in counts.values()), default=0)
    busy = len(holders)
    return FreeSlots(
        for_any=busy < slots,
        for_others=busy - max(0, excess) < slots,
        full=FullShares(_full(namespaces.items(), share), _full(hosts.items(), share)),
    )


def _full(counts: Iterable[tuple[T, int]], share: int) -> frozenset[T]:
    return frozenset(name for name, count in counts if count >= share)
