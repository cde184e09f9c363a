"""The components of the watcher that leads its cluster: the threads that read it, the inventory, and the tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog
from django.db import DatabaseError, InterfaceError
from django.db.models.functions import Now

from mirrors.kubernetes.api_server.object_reader import ObjectReader, server_version
from mirrors.models import Cluster
from mirrors.watcher.destinations import destinations
from mirrors.watcher.feed import Feed
from mirrors.watcher.inventory import Closable, Inventory, InventoryTask
from mirrors.watcher.row_writer import RowWriter
from swapper_project.config import Config, ConfigSource
from swapper_project.process.monitoring import metrics

log = structlog.get_logger(__name__)

VERSION_LENGTH = 40
"""Characters of the version's column."""

MakeTasks = Callable[[Callable[[], Config]], Sequence[InventoryTask]]


class Leadership:
    """The components of a leading watcher. Creating one starts the feeds."""

    def __init__(self, source: ConfigSource, tasks: MakeTasks) -> None:
        self._source = source
        config = source.current
        self.cluster = config.cluster_name
        self.version = ""
        self.namespaces = config.watcher.namespaces
        self.inventory = Inventory()
        self.requests: Counter[str] = Counter()
        self.feeds = [
            Feed(ObjectReader(kind, place, self._count), destination)
            for kind, place, destination in destinations(self.inventory, self.namespaces)
        ]
        self._writer: RowWriter | None = None
        self._tasks = tasks(lambda: source.current)
        for feed in self.feeds:
            feed.start()

    @property
    def is_complete(self) -> bool:
        """Whether all permitted objects have been listed, including pods: only then can a missing object be treated as
        deleted."""
        are_pods_listed = all(feed.has_listed for feed in self.feeds if feed.plural == "pods")
        return are_pods_listed and all(feed.is_settled for feed in self.feeds)

    @property
    def problem(self) -> str:
        return "\n".join(dict.fromkeys(feed.problem for feed in self.feeds if feed.problem))

    def _count(self, verb: str, resource: str) -> None:
        self.requests[verb] += 1
        metrics.CLUSTER_REQUESTS.labels(verb, resource).inc()

    def turn(self) -> None:
        """Write the rows and run the tasks. Raises DatabaseError; the next turn then loads the rows again."""
        deleted_count = len(self.inventory.deleted_pods)
        try:
            self._write()
        except (DatabaseError, InterfaceError):
            self._writer = None
            raise
        if self.is_complete:
            for task in self._tasks:
                self._run(task)
        self.inventory.drop_deleted_pods(deleted_count)

    def _write(self) -> None:
        Cluster.objects.update_or_create(
            name=self.cluster,
            defaults={
                "problem": self.problem,
                "namespaces": list(self.namespaces),
                "version": self._server_version(),
                "seen_at": Now(),
            },
        )
        if self._writer is None:
            self._writer = RowWriter(self.cluster, lambda: self._source.current, lambda: self.is_complete)
        self._writer.run(self.inventory)

    def _server_version(self) -> str:
        """Return the API server's version. It is requested once, because a cluster is upgraded together with the node
        of its watcher."""
        if not self.version and self.is_complete:
            self.version = server_version()[:VERSION_LENGTH]
        return self.version

    def _run(self, task: InventoryTask) -> None:
        try:
            task.run(self.inventory)
        except (DatabaseError, InterfaceError):
            raise
        except Exception:
            log.exception("A task of the watcher has failed; trying again", task=type(task).__name__)

    def stop(self) -> None:
        """Stop the feeds and close the tasks. The threads are not joined: each stops after the next event that it
        reads, and holds no resource that must be released."""
        for feed in self.feeds:
            feed.stop()
        for task in self._tasks:
            if isinstance(task, Closable):
                with suppress(DatabaseError, InterfaceError):
                    task.close()
