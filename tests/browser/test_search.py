"""The search in the menu with only the keyboard; and accessible pages for a user's tokens and a sample pod."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.accessibility import COLOURS, grave_faults
from tests.browser.pages import overflow, use_theme
from tests.browser.sites import Site
from tests.browser.visits import DESK, PHONE, Visitors


def test_search_results_can_be_opened_and_closed_with_the_keyboard(seeded: Site, visitors: Visitors) -> None:
    page = visitors.visit(seeded, "viewer").open("/admin/")
    found, field = page.locator(".swapper-found"), page.get_by_label("Search images, jobs")
    page.keyboard.press("t")
    expect(field).to_be_focused()
    field.press_sequentially("no-such-thing")
    expect(found).to_contain_text("No results for no-such-thing")
    page.keyboard.press("Escape")
    expect(found).to_have_count(0)

    field.fill("library/nginx")
    expect(found.get_by_role("heading", name="Images")).to_be_visible()
    faults = grave_faults(page)
    use_theme(page, "dark")
    assert faults + grave_faults(page, rules=COLOURS) == []
    page.keyboard.press("ArrowDown")
    expect(found.get_by_role("link").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/imagemapping/\d+/change/"))


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_token_and_explain_pages_are_accessible_in_light_and_dark(
    seeded: Site, visitors: Visitors, size: tuple[int, int]
) -> None:
    visit = visitors.visit(seeded, "operator", size=size)
    for path in ("/admin/accounts/apitoken/own/", "/admin/explain/?sample=1"):
        page = visit.open(path)
        if "own" in path:
            page.get_by_label("Description").fill("ci")
            page.get_by_role("button", name="Create").click()
            expect(page.get_by_text("It is shown only now")).to_be_visible()
            expect(page.get_by_role("button", name="Copy swp_")).to_be_visible()
        faults = grave_faults(page)
        use_theme(page, "dark")
        assert faults + grave_faults(page, rules=COLOURS) == [], path
        assert overflow(page) == 0, path
