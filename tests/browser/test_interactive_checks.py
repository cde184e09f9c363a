"""Trying before acting: filters respond while the user types, a pod is explained and mirrored, a registry is tested."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from playwright.sync_api import Page, expect

from mirrors.demo.images import sample_image
from tests.browser.jobs import wait_for
from tests.browser.pages import ROWS
from tests.browser.sites import Site, System
from tests.browser.visits import Visitors
from tests.support.ports import wait_until
from tests.support.registries import PASSWORD


def test_a_filter_is_evaluated_while_typing_and_can_be_saved(seeded: Site, visitors: Visitors) -> None:
    page = visitors.visit(seeded, "admin").open("/admin/mirrors/filter/try/")
    field, responses = page.get_by_label("JMESPath"), page.get_by_label("Results", exact=True)

    field.press_sequentially("container.(")
    expect(responses.get_by_role("alert")).to_be_visible()
    field.clear()
    field.press_sequentially("starts_with(container.image, 'quay.io/prometheus/')")
    expect(responses.get_by_role("alert")).to_have_count(0)
    expect(responses).to_contain_text("excludes it")
    expect(page.get_by_label("Effect of saving")).to_contain_text("would be newly excluded")

    page.get_by_label("Or paste a pod").fill(_pod("docker.io/library/nginx:1.27"))
    expect(responses).to_contain_text("pasted")
    expect(responses).to_contain_text("so it is mirrored and swapped")

    page.get_by_role("button", name="Save as filter").click()
    expect(page.get_by_label("JMESPath")).to_have_value("starts_with(container.image, 'quay.io/prometheus/')")
    page.get_by_role("textbox", name="Name").fill("prometheus stays")
    page.get_by_role("button", name="Save", exact=True).click()
    row = page.locator("#result_list tr", has_text="prometheus stays")
    expect(row).to_be_visible()


def test_a_pod_is_explained_and_its_missing_images_are_mirrored(system: System, visitors: Visitors) -> None:
    image = f"{system.source.host}/explained/app:1"
    sample_image(seed=3, layers=1, layer_bytes=500).load(system.source.storage, "explained/app", "1")
    page = visitors.visit(system, "operator").open("/admin/explain/")
    page.get_by_label("Pod or workload").fill(_pod(image))
    page.get_by_role("button", name="Explain").click()
    expect(page.locator(".swapper-images")).to_contain_text(re.compile("absent|unknown"))

    page.get_by_role("button", name="Mirror missing images (1)").click()
    expect(page.get_by_role("heading", name="Requested copies")).to_be_visible()
    wait_for(system, image, "succeeded")

    # Knowledge about the target reaches the web process within seconds.
    wait_until(lambda: "present" in _explained(page), what="the explanation that it is present")
    expect(page.locator("pre")).to_contain_text(f"{system.target.host}/{system.source.host.replace(':', '_')}")


def test_a_registry_test_shows_its_result_on_the_page(system: System, visitors: Visitors) -> None:
    system.private_password.write_text("not the password")
    visit = visitors.visit(system, "operator")
    page = visit.open(f"/admin/mirrors/registry/?q={system.private.host}")
    page.locator(ROWS).first.click()
    connection = page.locator("#swapper-test")

    page.get_by_role("button", name="Test connection").click()
    expect(connection.get_by_role("status")).to_contain_text("Failed")
    expect(connection.locator("li.swapper-failed")).to_contain_text("Authentication")
    expect(connection).not_to_contain_text("not the password")

    system.private_password.write_text(PASSWORD)
    page.get_by_role("button", name="Test connection").click()
    expect(connection.get_by_role("status")).to_contain_text("Passed")
    expect(connection.locator("li.swapper-ok").filter(has_text="Authentication")).to_be_visible()


def _explained(page: Page) -> str:
    page.get_by_role("button", name="Explain").click()
    return page.locator(".swapper-images").inner_text()


def _pod(image: str) -> str:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pasted", "namespace": "shop"},
        "spec": {"containers": [{"name": "main", "image": image}]},
    }
    return str(yaml.safe_dump(pod))


def test_a_file_can_be_dropped_or_selected_to_be_explained(seeded: Site, visitors: Visitors, tmp_path: Path) -> None:
    page = visitors.visit(seeded, "viewer").open("/admin/explain/")
    field = page.get_by_label("Pod or workload")
    transfer = page.evaluate_handle(
        "text => { const all = new DataTransfer(); all.items.add(new File([text], 'pod.yaml')); return all; }",
        _pod("docker.io/library/nginx:1.27"),
    )
    page.locator("body").dispatch_event("dragover", {"dataTransfer": transfer})
    expect(page.locator("form.swapper-drop")).to_be_visible()
    page.locator("body").dispatch_event("drop", {"dataTransfer": transfer})
    expect(field).to_have_value(_pod("docker.io/library/nginx:1.27"))
    expect(page.locator("form.swapper-drop")).to_have_count(0)

    chosen = tmp_path / "chosen.yaml"
    chosen.write_text(_pod("quay.io/team/chosen:1"))
    page.get_by_label("Or drop a file on the page").set_input_files(chosen)
    expect(page.get_by_text("chosen.yaml is in the field above.")).to_be_visible()
    page.get_by_role("button", name="Explain").click()
    expect(page.locator(".swapper-images")).to_contain_text("quay.io/team/chosen:1")
