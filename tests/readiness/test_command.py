"""``manage.py readiness``: shares, missing images, digest drift, and the exit status for scripts."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from mirrors.models import Cluster, ClusterNode, ImageMapping
from tests.readiness.cluster_rows import NEW, OLD, cluster, config_in, mirrored, runs, small_cluster
from tests.watcher.rows import restart_loop, unhealthy_target

pytestmark = pytest.mark.django_db
Ask = Callable[..., tuple[int, str]]


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """A function that runs the command, and returns its exit status and output."""
    config = config_in(tmp_path)

    def run(*arguments: str) -> tuple[int, str]:
        status = 0
        try:
            call_command("readiness", "--config", str(config), *arguments)
        except SystemExit as ended:
            status = int(ended.code or 0)
        output = capsys.readouterr()
        return status, output.out + output.err

    return run


def answer(ask: Ask, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(ask("--json", *arguments)[1])
    return found


def gaps(found: dict[str, Any]) -> set[tuple[str, str, str]]:
    return {(row["name"], row["source"], row["reason"]) for row in found["missing"]}


def test_totals_and_missing_images_without_any_source_registry(ask: Ask) -> None:
    small_cluster()
    found = answer(ask)

    assert (found["workloads"], found["unprotected"], found["percent"]) == (4, 3, 25.0)
    assert found["namespaces"] == [
        {"namespace": "shop", "workloads": 3, "unprotected": 2, "percent": 33.3},
        {"namespace": "site", "workloads": 1, "unprotected": 1, "percent": 0.0},
    ]
    assert gaps(found) == {
        ("front", "docker.io/library/redis:7", "not-mirrored"),
        ("moved", "docker.io/team/moved:1", "would-change"),
        ("paused", "ghcr.io/org/paused:1", "blocked"),
    }


def test_without_one_registry_images_from_others_are_protected(ask: Ask) -> None:
    small_cluster()

    assert {row[0] for row in gaps(answer(ask, "--without", "docker.io"))} == {"front", "moved"}
    assert {row[0] for row in gaps(answer(ask, "--without", "registry-1.docker.io"))} == {"front", "moved"}
    assert {row[0] for row in gaps(answer(ask, "--without", "ghcr.io"))} == {"paused"}
    assert ask("--without", "quay.io")[0] == 0


def test_the_exit_status_shows_whether_all_workloads_are_protected(ask: Ask) -> None:
    small_cluster()
    status, text = ask()
    assert status == 1
    assert "1 of 4 workloads are protected (25.0 %)" in text and "site/front" in text and "Mirror it." in text

    ImageMapping.objects.update(paused=False, target_digest=OLD)
    mirrored("redis:7")
    status, text = ask()
    assert status == 0 and "4 of 4 workloads are protected (100.0 %)" in text


def test_changes_can_be_allowed_and_one_namespace_selected(ask: Ask) -> None:
    small_cluster()

    assert "moved" not in {row[0] for row in gaps(answer(ask, "--allow-changes"))}
    assert {row[0] for row in gaps(answer(ask, "--namespace", "site"))} == {"front"}
    assert answer(ask, "--namespace", "site")["workloads"] == 1


def test_an_outdated_verification_counts_as_missing(ask: Ask) -> None:
    cluster()
    runs("nginx:1.27", "web")
    mirrored("nginx:1.27", verified_at=timezone.now() - timedelta(hours=3))

    assert ask()[0] == 0
    assert {row[2] for row in gaps(answer(ask, "--max-age", "2h"))} == {"not-verified"}
    assert ask("--max-age", "yesterday")[0] == 2


def test_platforms_and_pulls_of_the_nodes_are_required(ask: Ask) -> None:
    cluster(platforms=["linux/amd64", "linux/arm64"])
    runs("nginx:1.27", "web")
    mirrored("nginx:1.27", platforms=["linux/amd64"])
    assert {row[2] for row in gaps(answer(ask))} == {"platform-missing"}
    assert "linux/arm64" in ask()[1]

    ImageMapping.objects.update(platforms=["linux/amd64", "linux/arm64/v8"])
    assert ask()[0] == 0
    ClusterNode.objects.update(pulled_at=None)
    assert {row[2] for row in gaps(answer(ask))} == {"nodes-untested"}


def test_drift_is_reported_with_running_and_target_digests(ask: Ask) -> None:
    small_cluster()
    status, text = ask("--drift", "--json")

    (row,) = json.loads(text)["drift"]
    assert status == 1
    assert (row["name"], row["running_digest"], row["target_digest"]) == ("moved", OLD, NEW)
    ImageMapping.objects.update(target_digest=OLD)
    assert ask("--drift")[0] == 0


def test_index_drift_is_reported_once_the_runtime_has_reported_an_index(ask: Ask) -> None:
    cluster()
    both = ["linux/amd64", "linux/arm64"]
    mirrored("team/moved:1", target_digest=NEW, source_digest=NEW, platforms=both)
    runs("team/moved:1", "moved")
    assert answer(ask, "--drift")["drift"] == []

    mirrored("nginx:1.27", platforms=both)
    runs("nginx:1.27", "web")
    assert [row["name"] for row in answer(ask, "--drift")["drift"]] == ["moved"]


def test_a_platform_digest_matches_the_index_that_lists_it(ask: Ask) -> None:
    cluster()
    both = ["linux/amd64", "linux/arm64"]
    amd64, arm64, before = (f"sha256:{letter * 64}" for letter in "cde")
    mirrored("nginx:1.27", platforms=both, manifests=[amd64, arm64])
    mirrored("team/old:1", platforms=both)
    runs("nginx:1.27", "same", digest=arm64)
    runs("nginx:1.27", "moved", digest=before)
    runs("team/old:1", "unknown", digest=before)

    assert [(row["name"], row["running_digest"]) for row in answer(ask, "--drift")["drift"]] == [("moved", before)]
    assert gaps(answer(ask)) == {("moved", "docker.io/library/nginx:1.27", "would-change")}


@pytest.mark.parametrize("name", ["ghcr.io/org", "not a registry", "mirror.example.com:5000"])
def test_a_name_that_is_not_a_source_registry_is_rejected(name: str, ask: Ask) -> None:
    cluster()
    status, text = ask("--without", name)

    assert status == 2 and name in text


def test_a_cluster_that_was_never_listed_is_reported(ask: Ask) -> None:
    status, text = ask()
    assert status == 2 and "manage.py watch" in text

    cluster("east")
    status, text = ask("--cluster", "west")
    assert status == 2 and "have been listed: east" in text
    Cluster.objects.create(name="west", problem="The watcher may not list pods: apply its ClusterRole.")
    assert "apply its ClusterRole" in ask("--cluster", "west")[1]


def test_the_same_namespace_in_two_clusters_is_kept_separate(ask: Ask) -> None:
    cluster()
    cluster("east")
    mirrored("nginx:1.27")
    runs("nginx:1.27", "web")
    runs("redis:7", "web", cluster="east")

    assert ask()[0] == 0
    assert ask("--cluster", "east")[0] == 1


def test_a_target_image_without_a_mapping_has_an_unknown_source(ask: Ask) -> None:
    cluster()
    runs("", "lost")

    assert gaps(answer(ask)) == {("lost", "", "unknown-source")}


def test_a_dry_run_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cluster()
    call_command("readiness", "--config", str(config_in(tmp_path, dryRun=True)))

    assert "dryRun is set" in capsys.readouterr().out


def test_kinds_that_the_watcher_cannot_read_are_reported(ask: Ask) -> None:
    cluster(
        problem="no permission to read cronjobs in all namespaces: allow it\n"
        "pods cannot be read: the API server responded with status 500"
    )

    (notice,) = answer(ask)["notices"]
    assert "some may be missing here: no permission to read cronjobs" in notice and "; pods cannot be read" in notice


def test_images_kept_by_the_webhook_have_their_own_reason_and_next_step(ask: Ask) -> None:
    cluster()
    mirrored("nginx:1.27")
    decided: dict[str, Any] = {"decided_at": timezone.now()}
    runs("nginx:1.27", "filtered", kept="filtered", kept_details="no-shop", **decided)
    runs("redis:7", "opted", kept="opted-out", **decided)
    runs("nginx:1.27", "web", **decided)
    status, text = ask()

    assert status == 1 and "1 of 3 workloads are protected" in text
    assert "not swapped: filter no-shop" in text and "not swapped: the pod has opted out" in text
    assert "not-swapped: Change the filter" in text and "not-swapped: Remove k8s-image-swapper/skip" in text
    assert {row["kept"] for row in answer(ask)["missing"]} == {"filtered", "opted-out"}
    assert answer(ask)["notices"] == []


@pytest.mark.parametrize(
    ("suspend", "kept"),
    [
        (lambda: unhealthy_target(), {"web": "target-unhealthy", "other": "target-unhealthy"}),
        (lambda: unhealthy_target(cluster="west"), {}),
        (lambda: restart_loop(workload_kind="Deployment", workload="web"), {"web": "restart-loop"}),
    ],
)
def test_workloads_with_suspended_swapping_are_not_protected(
    suspend: Callable[[], Any], kept: dict[str, str], ask: Ask
) -> None:
    cluster()
    mirrored("nginx:1.27")
    runs("nginx:1.27", "web")
    runs("nginx:1.27", "other")
    runs("redis:7", "missing")
    suspend()
    found = {row["name"]: row["kept"] or row["reason"] for row in answer(ask)["missing"]}

    assert found == {"missing": "not-mirrored", **kept}


def test_a_dry_run_protects_nothing_and_keeps_the_reasons_of_other_gaps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small_cluster()
    with pytest.raises(SystemExit):
        call_command("readiness", "--json", "--config", str(config_in(tmp_path, dryRun=True)))

    found = json.loads(capsys.readouterr().out)
    assert found["reasons"] == {"not-swapped": 2, "not-mirrored": 1, "would-change": 1, "blocked": 1}
    assert found["unprotected"] == found["workloads"]


@pytest.mark.parametrize("name", ["nope", "docker.io/library", "no pe"])
def test_a_name_that_is_not_a_registry_is_rejected(ask: Ask, name: str) -> None:
    small_cluster()

    status, output = ask("--without", name)

    assert status == 2 and "is not a registry" in output


@pytest.mark.parametrize(("name", "is_used"), [("quay.oi", False), ("docker.io", True), ("index.docker.io", True)])
def test_a_registry_without_running_images_is_reported(ask: Ask, name: str, is_used: bool) -> None:
    """All workloads are protected from such a registry, but its name may be misspelt."""
    small_cluster()

    output = ask("--without", name)[1]

    assert (f"No running image is from {name}: check the name" in output) is not is_used
