"""Watchers that are killed at random times while workloads change, and an API server that stops in the meantime."""

from __future__ import annotations

import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import urllib3

from tests.e2e.cluster.api import Api
from tests.e2e.cluster.cluster import controllers
from tests.support.controlplane import ControlPlane, control_plane
from tests.support.ports import wait_until
from tests.watcher.objects import Objects
from tests.watcher.watching import Watcher, Watching

pytestmark = pytest.mark.timeout(400)

KILLS = 5
KINDS = 8
"""Pods, nodes, and six kinds of workloads. A watcher lists each of them once when it becomes the leader."""

NAMESPACES = ("blog", "shop")
IMAGES = [f"quay.io/org/app-{number}:1" for number in range(12)]


@pytest.fixture
def own_plane() -> Iterator[ControlPlane]:
    """An API server with controllers that the test can stop."""
    with control_plane() as plane, controllers(plane):
        api = Api(plane)
        for name in NAMESPACES:
            api.create("/api/v1/namespaces", {"metadata": {"name": name}})
            account = f"/api/v1/namespaces/{name}/serviceaccounts/default"
            wait_until(lambda account=account: api.get(account), what="the default service account")  # type: ignore[misc]
        yield plane


class Churn(threading.Thread):
    """Creates, scales, changes and deletes Deployments and pods until it is stopped."""

    def __init__(self, plane: ControlPlane, seed: int) -> None:
        super().__init__(name="churn", daemon=True)
        self._objects = Objects(Api(plane))
        self._random = random.Random(seed)
        self._stopping = threading.Event()
        self._number = 0
        self.steps = 0

    def run(self) -> None:
        while not self._stopping.wait(self._random.uniform(0.02, 0.2)):
            step = self._random.choice(
                [self._deploy, self._deploy, self._change, self._remove, self._pod, self._run_one]
            )
            try:
                step(self._random.choice(NAMESPACES))
                self.steps += 1
            except (urllib3.exceptions.HTTPError, AssertionError):
                continue  # The API server is stopped, or the object was deleted.

    def stop(self) -> None:
        self._stopping.set()
        self.join(60)

    def _deploy(self, namespace: str) -> None:
        self._number += 1
        image, replicas = self._random.choice(IMAGES), self._random.randrange(4)
        self._objects.workload(namespace, "Deployment", f"app-{self._number}", [image], replicas=replicas)

    def _change(self, namespace: str) -> None:
        """Change the image and the number of replicas of a Deployment."""
        if name := self._any(f"/apis/apps/v1/namespaces/{namespace}/deployments"):
            containers = [{"name": "c0", "image": self._random.choice(IMAGES)}]
            spec = {"replicas": self._random.randrange(4), "template": {"spec": {"containers": containers}}}
            self._objects.api.patch(f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}", {"spec": spec})

    def _remove(self, namespace: str) -> None:
        if name := self._any(f"/apis/apps/v1/namespaces/{namespace}/deployments"):
            path = f"/apis/apps/v1/namespaces/{namespace}/deployments/{name}"
            self._objects.api.delete(f"{path}?propagationPolicy=Background")

    def _pod(self, namespace: str) -> None:
        self._number += 1
        self._objects.pod(namespace, f"pod-{self._number}", self._random.choice(IMAGES))

    def _run_one(self, namespace: str) -> None:
        """Set a pod to running, as its kubelet does."""
        if name := self._any(f"/api/v1/namespaces/{namespace}/pods"):
            pod = self._objects.api.get(f"/api/v1/namespaces/{namespace}/pods/{name}")
            (container,) = pod["spec"]["containers"]
            state = {"name": container["name"], "image": container["image"], "imageID": "", "state": {"running": {}}}
            status = {"phase": "Running", "containerStatuses": [{**state, "ready": True, "restartCount": 0}]}
            self._objects.api.patch(f"/api/v1/namespaces/{namespace}/pods/{name}/status", {"status": status})

    def _any(self, path: str) -> str:
        items = self._objects.api.get(path)["items"]
        return str(self._random.choice(items)["metadata"]["name"]) if items else ""


@contextmanager
def churning(plane: ControlPlane, seed: int) -> Iterator[Churn]:
    churn = Churn(plane, seed)
    churn.start()
    try:
        yield churn
    finally:
        churn.stop()


class Lists:
    """The number of list requests of each watcher according to its last metrics, because a killed watcher reports no
    more; and how often it became the leader. That is once, unless it renewed its lease too late, as on a busy
    machine."""

    def __init__(self) -> None:
        self.of: dict[str, float] = {}
        self.led: dict[str, int] = {}

    def note(self, name: str, watcher: Watcher) -> None:
        self.of[name] = max(self.of.get(name, 0), watcher.requests("list"))
        self.led[name] = watcher.process.log.read_text().count("This watcher is the leader")


def test_rows_match_the_cluster_after_watcher_kills_and_an_api_server_outage(
    own_plane: ControlPlane, database_url: str, tmp_path: Path
) -> None:
    seed = random.randrange(1_000_000)
    chance = random.Random(seed)
    watching, lists = Watching(database_url, tmp_path, own_plane), Lists()
    outage_at, survivor = chance.randrange(KILLS), ""
    running = {name: watching.watcher(name) for name in ("watcher-0", "watcher-1")}
    try:
        for watcher in running.values():
            watcher.process.start()
        wait_until(watching.is_complete, timeout=60, what="the first lists")
        with churning(own_plane, seed) as churn:
            for kill in range(KILLS):
                name = leader(running)
                steps = churn.steps + chance.randrange(5, 40)
                wait_until(lambda steps=steps: churn.steps >= steps, what=f"more changes (seed {seed})")  # type: ignore[misc]
                lists.note(name, running[name])
                if kill != outage_at:
                    kill_leader(running, name)
                elif chance.random() < 0.5:
                    with own_plane.outage():
                        kill_leader(running, name)
                else:
                    with own_plane.outage():
                        survivor = name
                    continue
                fresh = f"watcher-{kill + 2}"
                running[fresh] = watching.watcher(fresh)
                running[fresh].process.start()
        last = leader(running)
        wait_until(
            lambda: counted(watching) == in_cluster(own_plane), timeout=90, what=f"rows of what runs (seed {seed})"
        )
        lists.note(last, running[last])
        assert in_cluster(own_plane).total() > 20, f"a story about something (seed {seed})"
        allowed = {name: KINDS * (lists.led[name] + (name == survivor)) for name in lists.of}
        assert all(sent <= allowed[name] for name, sent in lists.of.items()), f"{lists.of} (seed {seed})"
    finally:
        for watcher in running.values():
            watcher.process.stop(signal.SIGKILL)


def leader(running: dict[str, Watcher]) -> str:
    def leading() -> list[str]:
        return [name for name, watcher in running.items() if watcher.leads()]

    wait_until(lambda: len(leading()) == 1, timeout=60, what="a watcher that leads")
    return leading()[0]


def kill_leader(running: dict[str, Watcher], name: str) -> None:
    running.pop(name).process.stop(signal.SIGKILL)


def counted(watching: Watching) -> Counter[tuple[str, ...]]:
    """Return the number of pods by namespace, workload, image and state, according to the rows."""
    found: Counter[tuple[str, ...]] = Counter()
    for namespace in NAMESPACES:
        for kind, workload, _, image, state, pods in watching.images(namespace):
            if int(pods):
                found[namespace, kind, workload, image, state] += int(pods)
    return found


def in_cluster(plane: ControlPlane) -> Counter[tuple[str, ...]]:
    """Return the same numbers according to the API server."""
    found: dict[tuple[str, ...], list[bool]] = {}
    for pod in Api(plane).get("/api/v1/pods")["items"]:
        metadata, (container,) = pod["metadata"], pod["spec"]["containers"]
        owner = ("Deployment", metadata["labels"]["app"]) if "ownerReferences" in metadata else ("", "")
        key = (metadata["namespace"], *owner, container["image"])
        found.setdefault(key, []).append(pod["status"]["phase"] == "Running")
    return Counter({(*key, "running" if any(ran) else "starting"): len(ran) for key, ran in found.items()})
