"""The images of a cluster, read from a real API server by a real process."""

from __future__ import annotations

import signal
import uuid
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.cluster.api import STRATEGIC, Api
from tests.support.controlplane import OTHER, ControlPlane
from tests.support.databases import query
from tests.support.ports import wait_until
from tests.watcher.objects import Objects
from tests.watcher.watching import TARGET, Watching

DIGEST = "sha256:" + "a" * 64
NGINX = "docker.io/library/nginx:1.25"


@pytest.fixture
def objects(plane: ControlPlane) -> Objects:
    return Objects(Api(plane))


@pytest.fixture
def shop(objects: Objects) -> str:
    name = f"shop-{uuid.uuid4().hex[:8]}"
    objects.namespace(name)
    return name


@pytest.fixture
def watching(database_url: str, tmp_path: Path, plane: ControlPlane) -> Watching:
    return Watching(database_url, tmp_path, plane)


MAPPING = """
INSERT INTO mirrors_imagemapping (source, target, source_digest, target_digest, platforms, existence, access, paused,
    target_registry_id)
SELECT '{source}', '{target}', '', '', '[]', 'present', 'anonymous', FALSE, id FROM mirrors_registry
WHERE role = 'target'
"""


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet", "Job", "CronJob"])
def test_a_template_without_pods_has_a_row(kind: str, watching: Watching, objects: Objects, shop: str) -> None:
    objects.workload(shop, kind, "web", ["nginx:1.25"])
    name = "" if kind == "Job" else "web"  # pods of bare Jobs are identified only by their namespace
    with watching.running():
        expected = {(kind, name, NGINX, "nginx:1.25", "template", "0")}
        wait_until(lambda: watching.images(shop) == expected, what="the row of the template")


def test_rows_track_the_pods_of_a_workload(watching: Watching, objects: Objects, shop: str) -> None:
    objects.node(f"{shop}-a")
    objects.node(f"{shop}-b", "arm64")
    objects.workload(shop, "Deployment", "web", ["nginx:1.25"], replicas=2)
    with watching.running():
        objects.pod(shop, "web-1", "nginx:1.25", deployment="web", node=f"{shop}-a")
        objects.pod(shop, "web-2", "nginx:1.25", deployment="web", node=f"{shop}-b")
        row = ("Deployment", "web", NGINX, "nginx:1.25")
        wait_until(lambda: watching.images(shop) == {(*row, "starting", "2")}, what="pods that start")

        for name in ("web-1", "web-2"):
            objects.report(shop, name, "nginx:1.25", digest=DIGEST)
        wait_until(lambda: watching.images(shop) == {(*row, "running", "2")}, what="pods that run")
        assert watching.column("digest", shop) == [DIGEST] and watching.column("nodes", shop) == [2]
        assert watching.column("in_template", shop) == [True]

        objects.report(shop, "web-2", "nginx:1.25", waiting=("ImagePullBackOff", "Back-off pulling image"))
        failing = {(*row, "running", "1"), (*row, "failing", "1")}
        wait_until(lambda: watching.images(shop) == failing, what="a pod that cannot pull")

        for name in ("web-1", "web-2"):
            objects.delete_pod(shop, name)
        wait_until(lambda: watching.images(shop) == {(*row, "template", "0")}, what="the template alone")

    platforms = watching.value("SELECT platforms FROM mirrors_cluster")
    assert "linux/amd64" in str(platforms) and "linux/arm64" in str(platforms)
    assert sorted(watching.column("state", shop)) == ["ended", "template"], "what ran with a digest is kept for a while"


def test_line_separators_in_a_pod_do_not_interrupt_the_watch(watching: Watching, objects: Objects, shop: str) -> None:
    lines_of_text = "\x0b\x0c\x1c\x85\u2028\u2029"  # characters at which str.splitlines() splits
    with watching.running():
        wait_until(watching.is_complete, what="the first lists")
        objects.pod(shop, "odd", "quay.io/org/odd:1")
        patch = {"metadata": {"annotations": {"note": f"a{lines_of_text}b"}}}
        objects.api.patch(f"/api/v1/namespaces/{shop}/pods/odd", patch)
        objects.pod(shop, "next", "quay.io/org/next:1")

        expected = {"quay.io/org/odd:1", "quay.io/org/next:1"}
        wait_until(lambda: {row[2] for row in watching.images(shop)} == expected, what="the rows of both")
        assert watching.value("SELECT problem FROM mirrors_cluster") == ""


def test_the_source_of_a_swapped_image_is_read_from_its_mapping(
    watching: Watching, objects: Objects, shop: str
) -> None:
    mirrored = f"{TARGET}/docker.io/library/nginx:1.25"
    watching.prepare()
    query(watching.database_url, MAPPING.format(source=NGINX, target=mirrored))
    objects.node(f"{shop}-a")
    lie = {"metadata": {"annotations": {"k8s-image-swapper.github.io/images": '{"app": "evil.example.com/x:1"}'}}}
    objects.pod(shop, "web-1", mirrored, deployment="web", node=f"{shop}-a", digest=DIGEST)
    objects.api.patch(f"/api/v1/namespaces/{shop}/pods/web-1", lie)
    unknown = f"{TARGET}/somebody/else:2"
    objects.pod(shop, "other", unknown, node=f"{shop}-a", digest=DIGEST)
    with watching.running():
        expected = {
            ("Deployment", "web", NGINX, mirrored, "running", "1"),
            ("", "", "", unknown, "running", "1"),
        }
        wait_until(lambda: watching.images(shop) == expected, what="the rows")
        pulled = "SELECT name FROM mirrors_clusternode WHERE pulled_at IS NOT NULL"
        wait_until(
            lambda: (f"{shop}-a",) in query(watching.database_url, pulled),
            what="the node that has pulled from the target",
        )


def test_finished_jobs_and_pods_have_no_rows(watching: Watching, objects: Objects, shop: str) -> None:
    objects.workload(shop, "Job", "done", ["nginx:1.25"])
    now = "2026-01-01T00:00:00Z"
    conditions = [
        {"type": kind, "status": "True", "lastProbeTime": now, "lastTransitionTime": now}
        for kind in ("SuccessCriteriaMet", "Complete")
    ]
    status = {"startTime": now, "completionTime": now, "succeeded": 1, "conditions": conditions}
    objects.api.patch(f"/apis/batch/v1/namespaces/{shop}/jobs/done/status", {"status": status}, STRATEGIC)
    objects.pod(shop, "done-1", "redis:7")
    objects.api.patch(f"/api/v1/namespaces/{shop}/pods/done-1/status", {"status": {"phase": "Succeeded"}}, STRATEGIC)
    objects.pod(shop, "running", "quay.io/org/app:1")
    with watching.running():
        wait_until(watching.is_complete, what="the first lists")
        assert watching.images(shop) == {("", "", "quay.io/org/app:1", "quay.io/org/app:1", "starting", "1")}


def test_a_second_watcher_takes_over_when_the_leader_is_killed(watching: Watching, objects: Objects, shop: str) -> None:
    objects.pod(shop, "first", "quay.io/org/app:1")
    with watching.running("one") as first, watching.running("two") as second:
        wait_until(watching.is_complete, what="the first lists")
        wait_until(lambda: {first.leads(), second.leads()} == {0, 1}, what="one that leads and one that waits")
        leader, other = (first, second) if first.leads() else (second, first)
        assert other.requests("list") == 0, "only the leader reads the cluster"

        leader.process.stop(signal.SIGKILL)
        objects.delete_pod(shop, "first")
        objects.pod(shop, "second", "quay.io/org/app:2")

        expected = {("", "", "quay.io/org/app:2", "quay.io/org/app:2", "starting", "1")}
        wait_until(lambda: watching.images(shop) == expected, what="the rows of the second watcher")
        assert other.leads() == 1


def test_a_watcher_limited_to_one_namespace_reports_missing_permissions(
    watching: Watching, objects: Objects, shop: str
) -> None:
    other = f"{shop}-other"
    objects.namespace(other)
    objects.pod(other, "app", "quay.io/org/other:1")
    objects.pod(shop, "app", "quay.io/org/app:1")
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{shop}"
    objects.api.create(f"{rbac}/roles", {"metadata": {"name": "watcher"}, "rules": rules})
    subject = {"kind": "ServiceAccount", "name": "worker", "namespace": "swapper"}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "watcher"}
    objects.api.create(f"{rbac}/rolebindings", {"metadata": {"name": "w"}, "subjects": [subject], "roleRef": role})
    watching.token, watching.keys = OTHER, {"watcher": {"namespaces": [shop]}}
    with watching.running() as watcher:
        wait_until(watching.is_complete, what="what may be read")
        expected = {("", "", "quay.io/org/app:1", "quay.io/org/app:1", "starting", "1")}
        assert watching.images(shop) == expected and not watching.images(other)
        sql = "SELECT count(*) FROM mirrors_cluster WHERE problem LIKE '%{}%'"
        for problem in ("no permission to read deployments in namespace", "no permission to read nodes"):
            wait_until(partial(watching.value, sql.format(problem)), what=problem)
        wait_until(lambda: watcher.metrics().get("swapper_watcher_problem") == 1, what="the metric of the problem")


def test_rows_are_unchanged_when_pods_cannot_be_read(watching: Watching, objects: Objects, shop: str) -> None:
    objects.pod(shop, "app", "quay.io/org/app:1")
    with watching.running():
        wait_until(watching.is_complete, what="the first lists")
    before = watching.images(shop)

    watching.token = OTHER
    watching.keys = {"watcher": {"namespaces": [f"{shop}-x", shop]}}
    with watching.running("restricted"):
        sql = "SELECT count(*) FROM mirrors_cluster WHERE problem LIKE '%no permission to read pods%'"
        wait_until(lambda: watching.value(sql), what="the problem")
        assert before and watching.images(shop) == before


def test_the_command_without_a_cluster_exits_and_names_the_setting_to_change(watching: Watching) -> None:
    watcher = watching.watcher()
    watcher.process.environment = {**watcher.process.environment, "KUBECONFIG": ""}
    watcher.process.start()
    assert watcher.process.popen is not None
    assert watcher.process.popen.wait(60) == 2
    assert "Set KUBECONFIG" in watcher.process.log.read_text()
