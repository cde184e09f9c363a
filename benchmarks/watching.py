"""Memory, CPU time and requests of a watcher in a large cluster, with a real API server and etcd."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from tests.e2e.cluster.api import Api
from tests.support.controlplane import ControlPlane, control_plane
from tests.support.databases import query
from tests.support.ports import wait_until
from tests.watcher.objects import Objects
from tests.watcher.watching import Watcher, Watching

NAMESPACES: Final = 100
"""The namespaces among which the workloads are spread."""

THREADS: Final = 16
"""The threads that create objects."""

PATIENCE: Final = 900.0
"""The timeout in seconds of the first lists and of the changes, on a busy machine."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pods", type=int, default=50_000)
    parser.add_argument("--workloads", type=int, default=5_000)
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--churn", type=int, default=2_000, help="pods that are created while it watches")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with control_plane() as plane, tempfile.TemporaryDirectory() as directory:
        fill(Objects(Api(plane)), options.pods, options.workloads, options.nodes)
        found = measure(plane, Path(directory), options.pods, options.churn)
    for name, value in found.items():
        print(f"{name:32} {value}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


def fill(objects: Objects, pods: int, workloads: int, nodes: int) -> None:
    """Create Deployments, each with its own image, and their pods, with the status that a kubelet would report."""
    started = time.monotonic()
    for number in range(NAMESPACES):
        objects.namespace(f"ns-{number}")
    for number in range(nodes):
        objects.node(f"node-{number}")
    in_parallel(lambda n: deploy(objects, n), range(workloads))
    in_parallel(lambda n: create(objects, n, n % workloads, nodes), range(pods))
    print(f"{pods} pods and {workloads} workloads created in {time.monotonic() - started:.0f} s", file=sys.stderr)


def deploy(objects: Objects, number: int) -> None:
    objects.workload(f"ns-{number % NAMESPACES}", "Deployment", f"app-{number}", [image(number)])


def create(objects: Objects, number: int, workload: int, nodes: int) -> None:
    namespace, name = f"ns-{workload % NAMESPACES}", f"app-{workload}-{number}"
    objects.pod(namespace, name, image(workload), deployment=f"app-{workload}", node=f"node-{number % nodes}")
    objects.report(namespace, name, image(workload), digest=f"sha256:{workload:064x}")


def image(workload: int) -> str:
    return f"registry.example.com/team-{workload % 50}/app-{workload}:1.{workload % 7}"


def measure(plane: ControlPlane, directory: Path, pods: int, churn: int) -> dict[str, Any]:
    watching = Watching(f"sqlite:///{directory}/swapper.sqlite3", directory, plane, is_forked=False)
    watching.prepare()
    with watching.running() as watcher:
        started = time.monotonic()
        wait_until(watching.is_complete, timeout=PATIENCE, what="the first lists")
        listed = time.monotonic() - started
        rows = query(watching.database_url, "SELECT count(*), sum(pods) FROM mirrors_runningimage")[0]
        assert rows[1] == pods, rows
        first = usage(watcher)
        objects = Objects(Api(plane))
        in_parallel(lambda n: add(objects, n), range(churn))
        wait_until(lambda: is_caught_up(watching, pods, churn), timeout=PATIENCE, what="the changes")
        cpu = usage(watcher)["cpu"] - first["cpu"]
        time.sleep(30)
        last = usage(watcher)
        return {
            "pods": pods,
            "rows": rows[0],
            "seconds_to_list": round(listed, 1),
            "cpu_seconds_to_list": round(first["cpu"], 1),
            "cpu_ms_a_new_pod": round(1_000 * cpu / churn, 2) if churn else None,
            "peak_mib": round(last["peak"]),
            "rest_mib": round(last["rss"]),
            "lists": watcher.requests("list"),
            "watches": watcher.requests("watch"),
        }


def add(objects: Objects, number: int) -> None:
    """Create a pod with a unique image."""
    namespace = f"ns-{number % NAMESPACES}"
    objects.pod(namespace, f"new-{number}", f"registry.example.com/new/app:{number}", node="node-0")


def is_caught_up(watching: Watching, pods: int, churn: int) -> bool:
    return bool(watching.value("SELECT sum(pods) FROM mirrors_runningimage") == pods + churn)


def usage(watcher: Watcher) -> dict[str, float]:
    """Return CPU seconds, and resident and peak memory in MiB."""
    assert watcher.process.popen is not None
    directory = Path(f"/proc/{watcher.process.popen.pid}")
    status = dict(line.split(":", 1) for line in (directory / "status").read_text().splitlines())
    fields = (directory / "stat").read_text().rpartition(")")[2].split()
    memory = {name: int(status[key].split()[0]) / 1_024 for name, key in (("rss", "VmRSS"), ("peak", "VmHWM"))}
    return {"cpu": (int(fields[11]) + int(fields[12])) / 100, **memory}


def in_parallel(call: Callable[[int], Any], numbers: Iterable[int]) -> None:
    with ThreadPoolExecutor(THREADS) as threads:
        for _ in threads.map(call, numbers):
            pass


if __name__ == "__main__":
    main()
