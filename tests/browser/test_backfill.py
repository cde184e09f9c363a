"""Backfill: an operator previews the images of a cluster, starts the run, follows, pauses, resumes and cancels it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from mirrors.demo.images import sample_image
from tests.browser.clusters import faults_of, new_namespace, watched
from tests.browser.jobs import confirm
from tests.browser.sites import System
from tests.browser.visits import Visitors
from tests.support.controlplane import ControlPlane
from tests.support.faulty_registry import held
from tests.watcher.objects import Objects

URL = "/admin/mirrors/backfillrun/"
TAGS = ("1", "2", "held")


@pytest.fixture
def objects(system: System, plane: ControlPlane) -> Iterator[Objects]:
    with watched(system, plane) as objects:
        yield objects


def act(page: Page, name: str, state: str) -> None:
    """Press the button of an action, confirm it, and wait for the resulting state."""
    page.get_by_role("button", name=name, exact=True).click()
    confirm(page)
    expect(page.locator("[role=status].swapper-label")).to_have_text(state)


def test_an_operator_previews_starts_pauses_resumes_and_cancels_a_backfill(
    system: System, visitors: Visitors, objects: Objects
) -> None:
    namespace = new_namespace(objects)
    for seed, tag in enumerate(TAGS):
        sample_image(seed=200 + seed, layers=1, layer_bytes=300_000).load(system.source.storage, "fill/app", tag)
        objects.pod(namespace, f"app-{tag}", f"{system.source.host}/fill/app:{tag}")
    release = threading.Event()
    page = visitors.visit(system, "operator").open("/admin/")
    viewer = visitors.visit(system, "viewer")

    page.get_by_role("link", name="Backfill", exact=True).click()
    expect(page.locator("#content")).to_contain_text("default: 3 images", timeout=60_000)
    expect(viewer.open(URL).get_by_role("button", name="Preview")).to_have_count(0)

    page.get_by_role("button", name="Preview a backfill of default").click()
    expect(page.get_by_text("Nothing is copied until you start the backfill.")).to_be_visible()
    expect(page.get_by_role("button", name="Start", exact=True)).to_be_visible(timeout=60_000)
    facts = page.locator("#swapper-live")
    expect(facts).to_contain_text(re.compile(r"Images\s*3\s*Excluded\s*0"))
    expect(facts).to_contain_text("no limit of a registry delays it")

    # The layer of one image is delayed, so that the run does not finish before the test has checked it.
    system.source.on("GET /v2/fill/app/blobs/", held(release, after=100_000), times=20)
    try:
        act(page, "Start", "Running")
        expect(page.get_by_role("progressbar")).to_be_visible()
        viewer.open(page.url.removeprefix(system.url))
        expect(viewer.page.get_by_role("progressbar")).to_be_visible()
        expect(viewer.page.get_by_role("button", name="Pause")).to_have_count(0)
        viewer.open("/admin/")
        expect(viewer.page.get_by_role("progressbar", name="Backfill of default")).to_be_visible()
        assert faults_of(page) == []

        act(page, "Pause", "Paused")
        act(page, "Resume", "Running")
        act(page, "Cancel", "Cancelled")
    finally:
        release.set()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    expect(page.locator("#swapper-live")).to_contain_text("Finished")
    page.get_by_role("link", name="3", exact=True).click()
    expect(page.locator("#result_list tr.data-row")).to_have_count(3)
    assert faults_of(page) == []
