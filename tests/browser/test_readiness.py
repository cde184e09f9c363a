"""The fire drill: an operator sees workloads that could not start, mirrors their images, and sees them protected."""

from __future__ import annotations

from playwright.sync_api import expect

from mirrors.demo.images import sample_image
from tests.browser.accessibility import COLOURS, grave_faults
from tests.browser.clusters import forget_clusters
from tests.browser.jobs import wait_for
from tests.browser.pages import overflow, use_theme
from tests.browser.sites import System
from tests.browser.visits import PHONE, Visitors
from tests.support.system import run_manage

ROWS = """
from tests.readiness.cluster_rows import cluster, runs
cluster()
runs({image!r}, "web", digest={digest!r})
"""
URL = "/admin/mirrors/readinesssample/"


def test_missing_images_can_be_mirrored_from_the_readiness_page(system: System, visitors: Visitors) -> None:
    image, sample = f"{system.source.host}/drill/app:1", sample_image(seed=77, layers=1, layer_bytes=500)
    sample.load(system.source.storage, "drill/app", "1")
    rows = ROWS.format(image=image, digest=sample.root)
    forget_clusters(system)
    run_manage("shell", "-c", rows, environment=system.webhook.environment)
    page = visitors.visit(system, "operator").open("/admin/")

    page.get_by_role("link", name="Readiness", exact=True).click()
    expect(page.get_by_role("region", name="Missing")).to_contain_text("the target does not have it")
    page.get_by_role("link", name="Mirror 1 image").click()
    page.get_by_role("button", name="Mirror now").click()
    expect(page.get_by_text("1 image queued.")).to_be_visible()
    wait_for(system, image, "succeeded")

    # A result is cached for a minute. This one was not requested before.
    page.goto(f"{system.url}{URL}?without={system.source.host}")
    expect(page.locator("#content")).to_contain_text("1 of 1 workloads could start on a new node")

    faults = []
    for theme in ("light", "dark"):
        use_theme(page, theme)
        faults += grave_faults(page, rules=COLOURS) if theme == "dark" else grave_faults(page)
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    assert faults == [] and overflow(page) == 0
