"""A watcher with real controllers: many workloads at once, and a leader that is killed in the meantime."""

from __future__ import annotations

import json
import random
import signal
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.cluster.cluster import Cluster
from tests.support.ports import wait_until
from tests.watcher.objects import Objects
from tests.watcher.watching import Watching

pytestmark = pytest.mark.timeout(600)

WORKLOADS, REPLICAS = 300, 7
"""More than 2,000 pods."""


def test_rows_match_the_cluster_if_the_leader_is_killed_during_mass_creation(
    cluster: Cluster, database_url: str, tmp_path: Path
) -> None:
    namespaces = [cluster.namespace("many") for _ in range(3)]
    objects = Objects(cluster.api)
    watching = Watching(database_url, tmp_path, cluster.plane)
    with watching.running("one") as first, watching.running("two") as second:
        wait_until(watching.is_complete, timeout=60, what="the first lists")

        def deploy(number: int) -> None:
            name, image = f"app-{number}", f"quay.io/org/app-{number % 50}:1"
            objects.workload(namespaces[number % 3], "Deployment", name, [image], replicas=REPLICAS)

        with ThreadPoolExecutor(8) as threads:
            created = [threads.submit(deploy, number) for number in range(WORKLOADS)]
            after = random.randrange(WORKLOADS)
            created[after].result()
            wait_until(lambda: {first.leads(), second.leads()} == {0, 1}, what="one that leads and one that waits")
            leader, other = (first, second) if first.leads() else (second, first)
            leader.process.stop(signal.SIGKILL)
        for one in created:
            one.result()

        def are_counted() -> bool:
            return sum(counted(watching, namespaces).values()) == WORKLOADS * REPLICAS

        wait_until(are_counted, timeout=240, what=f"the rows of all pods (killed after {after} workloads)")
        assert counted(watching, namespaces) == running(cluster, namespaces)
        assert other.requests("list") == 8, "one list of each kind"
        for namespace in namespaces:
            cluster.api.delete(f"/api/v1/namespaces/{namespace}")


def counted(watching: Watching, namespaces: list[str]) -> Counter[tuple[str, str, str]]:
    """Return the number of pods by namespace, workload and image, according to the rows."""
    found: Counter[tuple[str, str, str]] = Counter()
    for namespace in namespaces:
        for _, workload, _, image, _, pods in watching.images(namespace):
            found[namespace, workload, image] += int(pods)
    return found


def running(cluster: Cluster, namespaces: list[str]) -> Counter[tuple[str, str, str]]:
    """Return the same numbers according to kubectl."""
    pods = json.loads(cluster.kubectl("get", "pods", "-A", "-o", "json"))["items"]
    return Counter(
        (pod["metadata"]["namespace"], pod["metadata"]["labels"]["app"], pod["spec"]["containers"][0]["image"])
        for pod in pods
        if pod["metadata"]["namespace"] in namespaces
    )
