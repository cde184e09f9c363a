"""Lists at a desk: no horizontal scrolling, no covered row, and refreshed rows do not disturb a selection."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Page, expect

from tests.browser.pages import OF_OUR_OWN, menu
from tests.browser.sites import Site
from tests.browser.visits import Visitors

WIDER = "(rows) => rows.scrollWidth - rows.clientWidth"
COVERED = """() => {
  const row = [...document.querySelectorAll("#result_list tr.data-row")].at(-1);
  row.scrollIntoView({ block: "end" });
  window.scrollTo(0, document.documentElement.scrollHeight);
  const { left, right, top, bottom } = row.getBoundingClientRect();
  const at = (y) => document.elementFromPoint((left + right) / 2, y);
  return !row.contains(at(top + 4)) || !row.contains(at(bottom - 4));
}"""
LONG = "generated-deployment-of-the-recommendation-service"
OLD = 'document.getElementById("swapper-list").dataset.old'
COUNTER = "#changelist-form .action-counter"


def test_no_list_scrolls_horizontally_or_has_a_covered_last_row(seeded: Site, visitors: Visitors) -> None:
    visit = visitors.visit(seeded, "admin")
    seen, faults = 0, []
    for path in menu(visit):
        if not path.startswith(OF_OUR_OWN):
            continue
        page = visit.open(path)
        rows = page.locator(".swapper-rows")
        if not (rows.count() and page.locator("#result_list tr.data-row").count()):
            continue
        seen += 1
        if wider := rows.evaluate(WIDER):
            faults.append(f"{path} is {wider} px too wide")
        if page.evaluate(COVERED):
            faults.append(f"{path} covers its last row")
        if page.locator("input.action-select").count():
            page.locator("input.action-select").last.check()
            if page.evaluate(COVERED):
                faults.append(f"{path} covers its last row while it is selected")
    assert seen > 10 and faults == []


@pytest.fixture
def long_names(seeded: Site) -> Iterator[str]:
    """Give the newest rows names as long as those of generated projects. The previous names are restored on exit."""
    name = f"registry.example.com/{'team-with-a-long-name/' * 5}{LONG}:v2.14.0-rc.3"
    with psycopg.connect(seeded.webhook.database_url, autocommit=True) as database:
        newest = "SELECT m.id, m.source FROM mirrors_mirrorjob j JOIN mirrors_imagemapping m ON m.id = j.mapping_id"
        (key, source) = database.execute(f"{newest} ORDER BY j.id DESC LIMIT 1").fetchone() or (0, "")
        uses = database.execute("SELECT id, workload FROM mirrors_imageuse ORDER BY id DESC LIMIT 3").fetchall()
        rename = "UPDATE mirrors_imagemapping SET source = %s WHERE id = %s"
        rename_use = "UPDATE mirrors_imageuse SET workload = %s WHERE id = %s"
        database.execute(rename, (name, key))
        for use, _ in uses:
            database.execute(rename_use, (LONG * 2, use))
        yield name
        database.execute(rename, (source, key))
        for use, workload in uses:
            database.execute(rename_use, (workload, use))


def test_long_names_fit_and_their_ends_are_visible(seeded: Site, visitors: Visitors, long_names: str) -> None:
    visit = visitors.visit(seeded, "admin")
    for path, words in (
        ("mirrorjob/", long_names[-50:]),
        ("imagemapping/?q=rc.3", long_names),
        ("imageuse/", LONG * 2),
    ):
        page = visit.open(f"/admin/mirrors/{path}")
        cell = page.locator("#result_list :is(td, th)", has_text=words).first
        assert page.locator(".swapper-rows").evaluate(WIDER) == 0, path
        assert cell.evaluate("cell => cell.scrollWidth - cell.clientWidth") <= 0, path
        expect(cell).to_be_visible()
    cell = visit.open("/admin/mirrors/mirrorjob/").locator(".field-image", has_text=long_names[-50:])
    expect(cell.locator("span")).to_have_attribute("title", long_names)


@pytest.fixture
def registry_of_another_cluster(seeded: Site) -> Iterator[None]:
    """A registry of one cluster with a name as long as Amazon ECR's, which makes lists show the clusters."""
    host = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
    copied = "kind, role, prefix, username, credential_ref, insecure, ca_file, enabled, settings, namespaces, clusters"
    copied += ", managed_by, created_at, updated_at"
    with psycopg.connect(seeded.webhook.database_url, autocommit=True) as database:
        database.execute(
            f"INSERT INTO mirrors_registry (name, endpoint, cluster, {copied}) SELECT 'images of production', %s, "  # noqa: S608
            f"'production-eu', {copied} FROM mirrors_registry WHERE endpoint = 'ghcr.io'".encode(),
            (host,),
        )
        yield
        database.execute("DELETE FROM mirrors_registry WHERE endpoint = %s", (host,))


@pytest.mark.usefixtures("registry_of_another_cluster")
def test_registries_of_several_clusters_fit_without_horizontal_scrolling(seeded: Site, visitors: Visitors) -> None:
    page = visitors.visit(seeded, "admin").open("/admin/mirrors/registry/")
    expect(page.locator("#result_list")).to_contain_text("production-eu")
    assert page.locator(".swapper-rows").evaluate(WIDER) == 0


def test_refreshed_rows_can_be_selected(seeded: Site, visitors: Visitors) -> None:
    page = visitors.visit(seeded, "operator").open("/admin/mirrors/mirrorjob/")
    _refreshed(page)
    boxes = page.locator("input.action-select")
    boxes.nth(1).check()
    expect(page.locator(COUNTER)).to_have_text("1 of 50 selected")
    page.locator("#action-toggle").check()
    expect(page.locator(COUNTER)).to_have_text("50 of 50 selected")
    page.locator("#action-toggle").uncheck()
    page.get_by_role("heading", level=1).click()
    page.evaluate("document.activeElement.blur()")
    _refreshed(page)


def _refreshed(page: Page) -> None:
    """Wait for the next rows that the server sends."""
    page.evaluate(f"{OLD} = 'yes'")
    page.wait_for_function(f"{OLD} === undefined", timeout=40_000)
