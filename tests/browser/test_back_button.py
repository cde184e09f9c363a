"""The Back button returns to the page that asked for confirmation, and to the explanation of a pod."""

from __future__ import annotations

from playwright.sync_api import expect

from mirrors.demo.images import sample_image
from tests.browser.jobs import JOBS, wait_for
from tests.browser.sites import Site, System
from tests.browser.visits import Visitors

POD = """
apiVersion: v1
kind: Pod
metadata: {name: shown-again}
spec:
  containers:
    - {name: main, image: "%s"}
"""


def test_back_returns_to_the_confirmation_page_and_then_to_the_job(seeded: Site, visitors: Visitors) -> None:
    page = visitors.visit(seeded, "operator").open(f"{JOBS}?status__exact=failed")
    page.locator("#result_list tbody th a").first.click()
    job = page.url
    page.get_by_role("button", name="Retry").click()
    requested = page.get_by_role("heading", name="Retry", exact=True)
    expect(requested).to_be_visible()
    page.get_by_role("link", name="Mappings").first.click()
    expect(page).to_have_url(f"{seeded.url}/admin/mirrors/imagemapping/")

    page.go_back()
    expect(requested).to_be_visible()
    page.go_back()
    expect(page).to_have_url(job)


def test_back_from_a_job_returns_to_the_explanation_that_linked_it(system: System, visitors: Visitors) -> None:
    image = f"{system.source.host}/shown-again/app:1"
    system.order(image)
    wait_for(system, image, "failed")
    sample_image(seed=31, layers=1, layer_bytes=500).load(system.source.storage, "shown-again/app", "1")
    page = visitors.visit(system, "operator").open("/admin/explain/")
    page.get_by_label("Pod or workload").fill(POD % image)
    page.get_by_role("button", name="Explain").click()
    page.locator(".swapper-images").get_by_role("link", name="Job").first.click()
    expect(page.get_by_role("heading", name="Attempts")).to_be_visible()

    page.go_back()
    expect(page.locator(".swapper-images")).to_contain_text(image)
