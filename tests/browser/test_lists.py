"""Lists at a desk: nothing scrolls sideways, no row is covered, and rows refresh without disturbing a selection."""

from __future__ import annotations

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
OLD = 'document.getElementById("swapper-list").dataset.old'
COUNTER = "#changelist-form .action-counter"


def test_no_list_scrolls_sideways_and_its_last_row_is_not_covered(seeded: Site, visitors: Visitors) -> None:
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


def test_rows_that_were_refreshed_can_be_selected(seeded: Site, visitors: Visitors) -> None:
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
    """Waits for the rows that the server sends next."""
    page.evaluate(f"{OLD} = 'yes'")
    page.wait_for_function(f"{OLD} === undefined", timeout=40_000)
