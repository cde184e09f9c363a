"""The page of a mapping shows the progress of the job that an action started, without a reload."""

from __future__ import annotations

from playwright.sync_api import expect

from mirrors.demo.images import sample_image
from tests.browser.jobs import confirm, wait_for
from tests.browser.sites import System
from tests.browser.visits import Visitors

UNTOUCHED = "document.documentElement.dataset.untouched"


def test_a_mapping_page_shows_the_job_result_without_a_reload(system: System, visitors: Visitors) -> None:
    image = f"{system.source.host}/followed/app:1"
    system.order(image)
    wait_for(system, image, "failed")
    sample_image(seed=21, layer_bytes=2_000).load(system.source.storage, "followed/app", "1")
    page = visitors.visit(system, "operator").open(f"/admin/mirrors/imagemapping/?q={image}")
    page.locator("#result_list tbody a").first.click()
    state = page.locator(".swapper-facts dd").first
    expect(state).to_contain_text("Failed")

    page.get_by_role("button", name="Mirror now").click()
    confirm(page)
    expect(state).to_be_visible()
    page.evaluate(f"{UNTOUCHED} = 'yes'")

    expect(state).to_contain_text("Mirrored", timeout=30_000)
    expect(page.get_by_role("button", name="Copy sha256:").first).to_be_visible()
    assert page.evaluate(UNTOUCHED) == "yes"
