"""Metrics of several processes: each writes its own files, and the one that serves a request reads all of them.

The parent of all other processes calls ``create_directory`` before it imports prometheus_client.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from prometheus_client import Metric
    from prometheus_client.registry import Collector

VARIABLE: Final = "PROMETHEUS_MULTIPROC_DIR"
MERGED_PROCESS_ID: Final = 0
"""The number in the names of the files with the sums of stopped processes, in place of a process ID."""


def create_directory() -> None:
    """Create the directory, in memory if possible. It is removed when this process exits."""
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
    directory = tempfile.mkdtemp(prefix="swapper-metrics-", dir=base)
    os.environ[VARIABLE] = directory
    atexit.register(_remove, directory, os.getpid())


def _remove(directory: str, owner: int) -> None:
    """Remove the directory. Forked children inherit this exit handler, but must not remove it."""
    if os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)


def exposition(names: Collection[str], *collectors: Collector) -> bytes:
    """Return, in Prometheus's text format, the metrics with these names from all processes, CPU and memory of this
    process, and the metrics of ``collectors``."""
    from prometheus_client import REGISTRY, CollectorRegistry, ProcessCollector, generate_latest
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    ProcessCollector(registry=registry)
    directory = os.environ.get(VARIABLE)
    if directory is None:
        registry.register(_FilteredCollector(names, REGISTRY))
        return generate_latest(registry)
    with _locked(Path(directory)):
        merge_dead_files(Path(directory))
        registry.register(_FilteredCollector(names, MultiProcessCollector(None, directory)))  # type: ignore[no-untyped-call]
        return generate_latest(registry)


class _FilteredCollector:
    """Collects the metric families of ``source`` that have one of these names."""

    def __init__(self, names: Collection[str], source: Collector) -> None:
        self._names = names
        self._source = source

    def collect(self) -> Iterator[Metric]:
        return (family for family in self._source.collect() if family.name in self._names)


def merge_dead_files(directory: Path) -> None:
    """Merge the files of stopped processes into one per kind of metric, so that neither counts nor space are lost."""
    from prometheus_client.mmap_dict import MmapedDict

    for path in directory.glob("*.db"):
        kind, _, number = path.stem.rpartition("_")
        if not number.isdecimal() or int(number) == MERGED_PROCESS_ID or Path(f"/proc/{number}").exists():
            continue
        # A gauge describes only its own process, so it is not summed.
        if not kind.startswith("gauge"):
            total = MmapedDict(str(directory / f"{kind}_{MERGED_PROCESS_ID}.db"))  # type: ignore[no-untyped-call]
            for key, value, timestamp, _ in MmapedDict.read_all_values_from_file(str(path)):  # type: ignore[no-untyped-call]
                total.write_value(key, total.read_value(key)[0] + value, timestamp)  # type: ignore[no-untyped-call]
            total.close()  # type: ignore[no-untyped-call]
        path.unlink()


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Lock the directory, because two concurrent readers would add the counts of stopped processes twice."""
    with (directory / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
