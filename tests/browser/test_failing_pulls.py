"""Failing pulls: images, reasons and advice; a target that nodes cannot pull from; the end of a restart loop."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from mirrors.demo.images import sample_image
from tests.browser.clusters import faults_of, new_namespace, watched
from tests.browser.jobs import act_on_selected, wait_for
from tests.browser.sites import System
from tests.browser.visits import Visitors
from tests.support.controlplane import ControlPlane
from tests.support.system import run_manage
from tests.watcher.objects import Objects
from tests.watcher.support import DENIED, NO_ROUTE, NOT_FOUND

PULLS, LOOPS = "/admin/mirrors/pullfailure/", "/admin/mirrors/restartloop/"
BACK_OFF = "ImagePullBackOff"
RATE = "429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit"
PLATFORM = 'failed to pull and unpack image "x": no match for platform in manifest: not found'
KINDS = {
    "not found": (NOT_FOUND, "check its name and tag in the workload"),
    "rate limited": (RATE, "mirror the image, then create the pod again"),
    "platform missing": (PLATFORM, "no variant for the platform of these nodes"),
    "denied": (DENIED, "the namespace needs a pull secret"),
}
LOOP = "from tests.watcher.rows import restart_loop; restart_loop(workload='orders-of-the-shop')"


@pytest.fixture
def objects(system: System, plane: ControlPlane) -> Iterator[Objects]:
    with watched(system, plane) as objects:
        yield objects


def test_each_failing_pull_shows_advice(system: System, visitors: Visitors, objects: Objects) -> None:
    namespace, image = new_namespace(objects), f"{system.source.host}/pulls/mirrored:1"
    sample_image(seed=300, layers=1, layer_bytes=500).load(system.source.storage, "pulls/mirrored", "1")
    system.order(image)
    wait_for(system, image, "succeeded")
    for node in ("a", "b"):
        objects.node(f"{namespace}-{node}")
    on_first = {"node": f"{namespace}-a"}
    for number, (message, _) in enumerate(KINDS.values()):
        failing = f"{system.source.host}/pulls/app:{number}"
        objects.pod(namespace, f"app-{number}", failing, waiting=(BACK_OFF, message), **on_first)
    objects.pod(namespace, "web-1", image, deployment="web", waiting=(BACK_OFF, NO_ROUTE), **on_first)
    page = visitors.visit(system, "operator").open("/admin/")

    attention = page.get_by_role("region", name="Needs attention")
    expect(attention).to_contain_text("Pods to recreate", timeout=60_000)
    page.get_by_role("link", name="Failing pulls", exact=True).click()
    for cause, (_, words) in KINDS.items():
        row = page.locator("#result_list tr.data-row", has_text=words)
        expect(row.first).to_contain_text(cause, ignore_case=True)
    command = f"kubectl -n {namespace} rollout restart deployment/web"
    expect(page.locator("#result_list")).to_contain_text(command)
    assert faults_of(page) == []

    page.goto(f"{system.url}/admin/mirrors/imagemapping/?q=pulls/mirrored")
    page.locator("#result_list tbody th a").first.click()
    content = page.locator("#swapper-live")
    expect(content).to_contain_text("1 pod on 1 node cannot pull the image from the source")
    expect(content).to_contain_text("A new pod would start from the mirror.")
    assert faults_of(page) == []


def test_an_unhealthy_target_is_shown_in_a_banner_until_declared_healthy(
    system: System, visitors: Visitors, objects: Objects
) -> None:
    namespace, image = new_namespace(objects), f"{system.target.host}/docker.io/library/refused:1"
    for node in (f"{namespace}-a", f"{namespace}-b"):
        objects.node(node)
        objects.pod(namespace, f"on-{node}", image, deployment="web", node=node, waiting=(BACK_OFF, DENIED))
    page = visitors.visit(system, "operator").open("/admin/mirrors/mirrorjob/")

    banner = page.get_by_role("alert").filter(has_text="Target unhealthy")
    page.goto(f"{system.url}/admin/mirrors/targethealth/")
    expect(page.locator("#result_list")).to_contain_text("unhealthy", ignore_case=True, timeout=60_000)

    page.goto(f"{system.url}/admin/mirrors/mirrorjob/")
    expect(banner).to_contain_text("AmazonEC2ContainerRegistryPullOnly")
    assert faults_of(page) == []
    banner.get_by_role("link").click()
    page.locator("input.action-select").first.check()
    act_on_selected(page, "Declare healthy …")
    expect(page.get_by_text("1 declared healthy.")).to_be_visible()
    expect(banner).to_have_count(0)


def test_a_restart_loop_is_released(system: System, visitors: Visitors) -> None:
    run_manage("shell", "-c", LOOP, environment=system.webhook.environment)
    assert visitors.visit(system, "viewer").open(LOOPS).locator("option", has_text="Release").count() == 0
    page = visitors.visit(system, "operator").open("/admin/")

    entry = page.get_by_role("region", name="Needs attention").get_by_role("listitem").filter(has_text="Restart loops")
    expect(entry).to_contain_text("they keep their source")
    entry.get_by_role("link", name="Review").click()
    row = page.locator("#result_list tr.data-row", has_text="orders-of-the-shop")
    expect(row).to_contain_text("not swapped", ignore_case=True)
    assert faults_of(page) == []
    row.locator("input.action-select").check()
    act_on_selected(page, "Release …")

    expect(page.get_by_text("1 released.")).to_be_visible()
    expect(row).to_contain_text("released", ignore_case=True)
