"""A watcher process on a real API server, and the rows that it writes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from tests.support.controlplane import ADMIN, ControlPlane
from tests.support.databases import query
from tests.support.ports import free_port
from tests.support.system import POOL, Process, read_metrics, run_manage, write_config

FAST = {"watch_period": 0.5, "watch_reading": 0.2, "watch_lease": 3.0}
TARGET = "mirror.example.com:5000"
IMAGES = """
SELECT workload_kind, workload, source, image, state, pods FROM mirrors_runningimage
WHERE cluster = '{cluster}' AND namespace = '{namespace}' AND state <> 'ended'
"""
COLUMN = "SELECT {column} FROM mirrors_runningimage WHERE cluster = '{cluster}' AND namespace = '{namespace}'"
LISTED = "SELECT count(*) FROM mirrors_cluster WHERE name = '{cluster}' AND listed_at IS NOT NULL"


@dataclass
class Watching:
    """The watchers of one installation. ``cluster`` is the cluster's name."""

    database_url: str
    directory: Path
    plane: ControlPlane
    cluster: str = "production"
    token: str = ADMIN
    keys: dict[str, Any] = field(default_factory=dict)
    is_forked: bool = True

    def watcher(self, name: str = "watcher") -> Watcher:
        """Return another watcher process, not started yet."""
        config = write_config(self.directory / f"{name}.yaml", target=TARGET, clusterName=self.cluster, **self.keys)
        port = free_port()
        environment = {
            "DJANGO_SETTINGS_MODULE": "tests.jobs.worker_settings",
            "TEST_JOB_TIMING": json.dumps(FAST),
            "SWAPPER_CONFIG": str(config),
            "SWAPPER_DATABASE_URL": self.database_url,
            "SWAPPER_DATA_DIR": str(self.directory),
            "SWAPPER_SECRET_KEY": "x" * 60,
            "SWAPPER_BIND": f"127.0.0.1:{port}",
            "KUBECONFIG": str(self.plane.kubeconfig(self.token)),
        }
        log = self.directory / f"{name}.log"
        process = Process([sys.executable, "manage.py", "watch"], environment, log, self.is_forked)
        return Watcher(process, port)

    @contextmanager
    def running(self, name: str = "watcher") -> Iterator[Watcher]:
        watcher = self.watcher(name)
        watcher.process.start()
        try:
            yield watcher
        finally:
            watcher.process.stop()

    def prepare(self) -> None:
        """Prepare the database before the processes start, as an installation does. This creates the target's row."""
        run_manage("prepare", environment=self.watcher("prepare").process.environment)

    def images(self, namespace: str) -> set[tuple[str, ...]]:
        """Return kind, workload, source, image, state and pods of the rows that have not ended."""
        rows = query(self.database_url, IMAGES.format(cluster=self.cluster, namespace=namespace))
        return {tuple(map(str, row)) for row in rows}

    def column(self, name: str, namespace: str) -> list[Any]:
        """Return the values of a column for all rows of a namespace."""
        sql = COLUMN.format(column=name, cluster=self.cluster, namespace=namespace)
        return [row[0] for row in query(self.database_url, sql)]

    def value(self, sql: str) -> Any:
        """Return the value of a statement that returns one value, or None if it returns no row."""
        return next((row[0] for row in query(self.database_url, sql)), None)

    def is_complete(self) -> bool:
        return bool(self.value(LISTED.format(cluster=self.cluster)))


@dataclass
class Watcher:
    process: Process
    port: int

    def metrics(self) -> dict[str, float]:
        """Return the metrics, or an empty dict while the process starts."""
        try:
            response = POOL.request("GET", f"http://127.0.0.1:{self.port}/metrics", retries=False, timeout=5)
        except urllib3.exceptions.HTTPError:
            return {}
        return read_metrics(response.data.decode())

    def leads(self) -> float | None:
        """Return whether this watcher is the leader as 1 or 0, or None while this is unknown."""
        return self.metrics().get("swapper_watcher_leads")

    def requests(self, verb: str) -> float:
        found = self.metrics()
        return sum(
            value
            for name, value in found.items()
            if name.startswith("swapper_cluster_requests_total{") and f'verb="{verb}"' in name
        )
