"""The rows that pods and templates produce: one line per rule."""

from __future__ import annotations

import pytest

from mirrors.kubernetes.objects.pod_states import ContainerState, PodState, TemplateState
from mirrors.kubernetes.objects.workloads import Workload
from mirrors.watcher.running_images import ImageRow, Place, running_rows

WEB = Workload("Deployment", "web")
RUNS, STARTS = ("app", "nginx:1", "sha256:a", True, "", ""), ("app", "nginx:1", "", False, "", "")
FAILS = ("app", "nginx:1", "", False, "ErrImagePull", "not found")
PLACE, UNKNOWN = (
    Place("shop", "Deployment", "web", "nginx:1", "sha256:a"),
    Place("shop", "Deployment", "web", "nginx:1", ""),
)


def source_of(image: str) -> str:
    return {"nginx:1": "docker.io/library/nginx:1", "mirror/nginx:1": "docker.io/library/nginx:1"}.get(image, "")


def pod(
    name: str, *containers: tuple[str, str, str, bool, str, str], node: str = "n1", finished: bool = False
) -> PodState:
    states = tuple(ContainerState(*one) for one in containers)
    return PodState("shop", name, WEB, "uid", node, 0.0, states, finished)


def row(pods: int, nodes: int, name: str, state: str, in_template: bool = False) -> ImageRow:
    return ImageRow("docker.io/library/nginx:1", pods, nodes, name, in_template, state)


@pytest.mark.parametrize(
    ("pods", "rows"),
    [
        ([], {}),
        ([pod("a", RUNS), pod("b", RUNS, node="n2")], {PLACE: row(2, 2, "a", "running")}),
        ([pod("b", RUNS), pod("a", RUNS)], {PLACE: row(2, 1, "a", "running")}),
        ([pod("a", STARTS, node="")], {UNKNOWN: row(1, 0, "a", "starting")}),
        ([pod("a", STARTS), pod("b", FAILS)], {UNKNOWN: row(2, 1, "a", "failing")}),
        # One pod with two containers of an image is one pod.
        ([pod("a", RUNS, ("two", *RUNS[1:]))], {PLACE: row(1, 1, "a", "running")}),
        ([pod("a", STARTS, ("two", *FAILS[1:]))], {UNKNOWN: row(1, 1, "a", "failing")}),
        ([pod("a", RUNS, finished=True)], {}),
    ],
)
def test_pods_of_a_workload_and_image_are_counted_in_one_row(pods: list[PodState], rows: dict[Place, ImageRow]) -> None:
    assert running_rows(pods, [], source_of) == rows


def test_a_template_without_pods_has_its_own_row() -> None:
    template = TemplateState("shop", WEB, ("nginx:1", "!invalid"))

    assert running_rows([], [template], source_of) == {
        UNKNOWN: row(0, 0, "", "template", in_template=True),
        Place("shop", "Deployment", "web", "!invalid", ""): ImageRow("", 0, 0, "", True, "template"),
    }


def test_a_template_with_a_swapped_running_image_has_no_separate_row() -> None:
    swapped = pod("a", ("app", "mirror/nginx:1", "sha256:a", True, "", ""))

    assert running_rows([swapped], [TemplateState("shop", WEB, ("nginx:1",))], source_of) == {
        Place("shop", "Deployment", "web", "mirror/nginx:1", "sha256:a"): row(1, 1, "a", "running", in_template=True)
    }
