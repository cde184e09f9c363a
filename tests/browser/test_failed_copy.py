"""From a failed copy to a successful one: the operator sees the failure, reads the reason, fixes it, and retries."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from mirrors.demo.images import sample_image
from tests.browser.jobs import JOBS, RETRY, act_on_selected, confirm, wait_for
from tests.browser.pages import ROWS
from tests.browser.sites import System
from tests.browser.visits import Visitors
from tests.support.pushing import push
from tests.support.registries import PASSWORD, USERNAME

GREEN, RED = re.compile("succeeded", re.IGNORECASE), re.compile("failed", re.IGNORECASE)


def test_a_failed_job_succeeds_when_retried_with_corrected_credentials(system: System, visitors: Visitors) -> None:
    image = f"{system.private.host}/shop/frontend:1"
    push(
        sample_image(seed=1, layer_bytes=2_000),
        system.private.host,
        "shop/frontend",
        "1",
        log_in=f"{USERNAME}:{PASSWORD}",
    )
    system.private_password.write_text("not the password")
    system.order(image)
    wait_for(system, image, "failed")
    page = visitors.visit(system, "operator").open("/admin/")

    page.locator(".swapper-cards").get_by_role("link", name="Failed jobs").click()
    row = page.locator("#result_list tr", has_text=image)
    expect(row).to_contain_text(RED)
    row.get_by_role("link").first.click()
    expect(page.locator("#content")).to_contain_text(
        re.compile("check (the username and password|what these credentials may do)")
    )

    system.private_password.write_text(PASSWORD)
    page.get_by_role("button", name="Retry").click()
    confirm(page)

    expect(page.get_by_text("1 queued again")).to_be_visible()
    wait_for(system, image, "succeeded")
    page.goto(f"{system.url}{JOBS}?q={image}")
    expect(page.locator("#result_list tbody tr").first).to_contain_text(GREEN)


def test_forty_failed_jobs_are_retried_together(system: System, visitors: Visitors) -> None:
    images = [f"{system.source.host}/forty/app:{number}" for number in range(40)]
    system.order(*images)
    of_forty = f"{system.source.host}/forty/%"
    wait_for(system, of_forty, "failed", jobs=40)
    for number in range(40):
        sample_image(seed=number, layers=1, layer_bytes=500).load(system.source.storage, "forty/app", str(number))
    page = visitors.visit(system, "operator").open(f"{JOBS}?q=forty/app&status__exact=failed")
    expect(page.locator(ROWS)).to_have_count(40)

    page.locator("#action-toggle").check()
    act_on_selected(page, RETRY)

    expect(page.get_by_text("40 queued again")).to_be_visible(timeout=60_000)
    wait_for(system, of_forty, "succeeded", jobs=40)
    page.goto(f"{system.url}{JOBS}?q=forty/app&status__exact=succeeded")
    expect(page.locator(ROWS)).to_have_count(40)
