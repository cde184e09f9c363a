"""Images that new pods would keep at their source, decided for pods of a real API server and counted by the drill."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from mirrors.backfill.deciding import Decider
from mirrors.kubernetes.api_server.webhook_scope import NAME_LABEL
from mirrors.models import Cluster, Filter, ManagedBy, RunningImage
from mirrors.readiness.drill import DrillRequest, run_drill
from mirrors.watcher.inventory import Inventory
from mirrors.watcher.kept_images import KeptImages
from swapper_project.config import ConfigSource
from tests.backfill.conftest import Shop
from tests.readiness.cluster_rows import TARGET, cluster, config_in, mirrored, target
from tests.support.controlplane import ADMIN, OTHER, ControlPlane

pytestmark = pytest.mark.django_db
HOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
IMAGE = "docker.io/library/nginx:1.27"
SWAPPED = f"{TARGET}/docker.io/library/nginx:1.27"
SKIP = {"k8s-image-swapper/skip": "true"}
ORIGINAL = {"k8s-image-swapper/original-images": '{"app": "nginx:1.27"}'}

_numbers = itertools.count(1)


class Watched:
    """A watcher's task and the drill, with a configuration that tests change."""

    def __init__(self, directory: Path, plane: ControlPlane, shop: Shop) -> None:
        self.directory, self.plane, self.shop = directory, plane, shop
        self.registration = f"swapper-{next(_numbers)}"
        self.register()
        self.configure()
        self.task = KeptImages(lambda: self.source.current, self.registration)

    def register(self, **selectors: Any) -> None:
        """Register the webhook. No server listens at its address, and pods are admitted all the same."""
        rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]
        hook = {
            "name": "k8s-image-swapper.github.io",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "failurePolicy": "Ignore",
            "timeoutSeconds": 1,
            "clientConfig": {"url": "https://127.0.0.1:9/webhook"},
            "rules": rules,
            **selectors,
        }
        self.plane.create(HOOKS, self.registration, "MutatingWebhookConfiguration", webhooks=[hook])

    def configure(self, **keys: Any) -> None:
        self.source = ConfigSource(config_in(self.directory, **keys))

    def decide(self) -> dict[str, str]:
        """Return reason and details for the image of each pod or workload."""
        self.task.run(Inventory())
        rows = RunningImage.objects.exclude(decided_at=None)
        return {row.pod_name or row.workload: f"{row.kept} {row.kept_details}".strip() for row in rows}

    def missing(self) -> set[str]:
        drill = run_drill(DrillRequest("default"), self.source.current)
        return {row.meaning for row in drill.missing}

    def change(self, **fields: Any) -> None:
        """Change the rows as the watcher does when pods have changed."""
        RunningImage.objects.update(decided_for="", **fields)


@pytest.fixture
def shop(read_plane: ControlPlane) -> Shop:
    return Shop(read_plane, f"kept-{next(_numbers)}")


@pytest.fixture
def watched(tmp_path: Path, plane: ControlPlane, shop: Shop) -> Iterator[Watched]:
    cluster()
    mirrored(IMAGE)
    made = Watched(tmp_path, plane, shop)
    yield made
    plane.request("DELETE", f"{HOOKS}/{made.registration}")


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        ({}, ""),
        ({"metadata": {"annotations": SKIP}}, "opted-out"),
        ({"metadata": {"labels": SKIP}}, "opted-out"),
        ({"metadata": {"labels": {"cnpg.io/cluster": "db"}}}, "known-operator"),
        ({"metadata": {"labels": {"tier": "secret"}}}, "filtered no-secrets"),
        ({"nodeName": "node-1", "metadata": {"annotations": {"kubernetes.io/config.mirror": "x"}}}, "mirror-pod"),
        ({"containers": [{"name": "app", "image": "nginx:1.27", "imagePullPolicy": "Never"}]}, "pull-policy-never"),
    ],
)
def test_images_that_a_review_would_keep_are_reported_as_not_swapped(
    more: dict[str, Any], kept: str, watched: Watched
) -> None:
    secret = "obj.metadata.labels.tier == 'secret'"
    Filter.objects.create(name="no-secrets", jmespath=secret, managed_by=ManagedBy.OPERATOR)
    watched.shop.pod("web", "nginx:1.27", **more)
    assert watched.missing() == set(), "before it is decided, it counts as swapped"

    assert watched.decide() == {"web": kept}
    words = {meaning.partition(":")[0] for meaning in watched.missing()}
    assert words == ({"not swapped"} if kept else set())
    verdict = Decider(watched.source.current, target().pk).decide(IMAGE)
    assert f"{verdict.reason} {verdict.details}".strip() == kept, "a backfill decides the same"


def test_a_configured_filter_is_reported_and_its_removal_updates_the_decision(watched: Watched) -> None:
    watched.shop.deployment("web", "nginx:1.27")
    watched.configure(source={"filters": [{"jmespath": "contains(container.image, 'nginx')"}]})
    assert watched.decide() == {"web": "filtered source.filters[0]"}
    assert watched.missing() == {"not swapped: filter source.filters[0]"}

    watched.configure()
    assert watched.decide() == {"web": ""}
    assert watched.missing() == set()


def test_a_pod_that_references_the_target_directly_needs_no_swap(watched: Watched) -> None:
    watched.shop.pod("named", SWAPPED, metadata={"annotations": SKIP})
    watched.shop.pod("swapped", SWAPPED, metadata={"annotations": {**SKIP, **ORIGINAL}})
    RunningImage.objects.update(source=IMAGE)

    assert watched.decide() == {"named": "", "swapped": "opted-out"}


@pytest.mark.parametrize(
    ("selectors", "kept"),
    [
        ({"namespaceSelector": {"matchExpressions": [{"key": NAME_LABEL, "operator": "In"}]}}, ""),
        (
            {"namespaceSelector": {"matchExpressions": [{"key": NAME_LABEL, "operator": "NotIn"}]}},
            "x",
        ),
        ({"namespaceSelector": {"matchLabels": {"team": "shop"}}}, "x"),
        ({"objectSelector": {"matchLabels": {"app": "web"}}}, ""),
        ({"objectSelector": {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}}, "x"),
    ],
)
def test_pods_that_the_webhook_selectors_exclude_are_reported_as_not_reviewed(
    selectors: dict[str, Any], kept: str, watched: Watched
) -> None:
    for expression in selectors.get("namespaceSelector", {}).get("matchExpressions", []):
        expression["values"] = [watched.shop.namespace]
    watched.plane.request("DELETE", f"{HOOKS}/{watched.registration}")
    watched.register(**selectors)
    watched.shop.pod("web", "nginx:1.27", metadata={"labels": {"app": "web"}})

    assert watched.decide() == {"web": "not-reviewed" if kept else ""}
    assert bool(watched.missing()) is bool(kept)


def test_an_unreadable_webhook_configuration_is_reported(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.shop.pod("web", "nginx:1.27")
    monkeypatch.setenv("KUBECONFIG", str(watched.plane.kubeconfig(OTHER)))
    watched.decide()

    drill = run_drill(DrillRequest("default"), watched.source.current)
    assert any("allow this process to get mutatingwebhookconfigurations" in notice for notice in drill.notices)
    assert any("1 images have not been compared" in notice for notice in drill.notices), "nor may it read pods"
    monkeypatch.undo()
    monkeypatch.setenv("KUBECONFIG", str(watched.plane.kubeconfig(ADMIN)))
    watched.task._scope_until = 0.0
    watched.decide()
    assert run_drill(DrillRequest("default"), watched.source.current).notices == ()
    assert Cluster.objects.get().scope_problem == ""


def test_unreadable_pods_do_not_block_decisions_for_other_pods(
    watched: Watched, plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbidden = Shop(plane, f"forbidden-{next(_numbers)}")
    for number in range(3):
        forbidden.pod(f"first-{number}", "nginx:1.27")
    watched.shop.pod("web", "nginx:1.27", metadata={"annotations": SKIP})
    plane.let_worker_read(watched.shop.namespace, "pods")
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig(OTHER)))

    assert watched.decide()["web"] == "opted-out"
    notices = run_drill(DrillRequest("default"), watched.source.current).notices
    assert any("3 images have not been compared" in notice for notice in notices)
    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig(ADMIN)))
    watched.decide()
    notices = run_drill(DrillRequest("default"), watched.source.current).notices
    assert not any("have not been compared" in notice for notice in notices)


def test_a_row_is_decided_again_only_after_a_change_or_several_hours(watched: Watched) -> None:
    watched.shop.pod("web", "nginx:1.27")
    watched.decide()
    decided_at = RunningImage.objects.get().decided_at
    watched.decide()
    assert RunningImage.objects.get().decided_at == decided_at

    watched.shop.pod("later", "nginx:1.27", metadata={"labels": SKIP})
    RunningImage.objects.filter(pod_name="later").delete()
    watched.change(pod_name="later")
    assert watched.decide() == {"later": "opted-out"}

    long_ago = timezone.now() - timedelta(hours=7)
    RunningImage.objects.update(decided_at=long_ago)
    watched.decide()
    assert RunningImage.objects.filter(decided_at__gt=long_ago).exists()
