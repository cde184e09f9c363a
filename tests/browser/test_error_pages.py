"""Error pages and confirmations: accessible in light and dark, fit a phone, and the first key press leads on."""

from __future__ import annotations

from functools import partial

import pytest
from django.template.loader import render_to_string
from playwright.sync_api import Page, Route, expect

from tests.browser.accessibility import grave_faults
from tests.browser.pages import ROWS, overflow, use_theme
from tests.browser.sites import Site
from tests.browser.visits import DESK, PHONE, Role, Visitors

ERRORS: dict[str, tuple[str, Role, str]] = {
    "400": ("/admin/mirrors/mirrorjob/?q=%00", "operator", "Bad request"),
    "403": ("/admin/auth/user/", "viewer", "Permission denied"),
    "404": ("/admin/no-such-page/", "operator", "Page not found"),
    "404-row": ("/admin/mirrors/mirrorjob/999999/change/", "operator", "Page not found"),
}
BROKEN: dict[str, tuple[str, str]] = {
    "500.html": ("500", "Server error"),
    "503.html": ("503", "Database unavailable"),
    "403_csrf.html": ("403", "This form is no longer valid"),
}
"""Pages that a healthy system never returns: the template by status, as the browser receives it."""

each_size = pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
each_theme = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


def check(page: Page, title: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(title)
    assert page.title() == f"{title} | k8s-image-swapper"
    assert grave_faults(page) == []
    assert overflow(page) == 0
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Go to the dashboard")).to_be_focused()


def _answer(route: Route, *, status: int, body: str) -> None:
    route.fulfill(status=status, body=body, content_type="text/html; charset=utf-8")


@each_size
@each_theme
def test_an_error_page_is_accessible_and_links_to_the_dashboard(
    seeded: Site, visitors: Visitors, size: tuple[int, int], dark: bool
) -> None:
    for path, role, title in ERRORS.values():
        visit = visitors.visit(seeded, role, size=size, dark=dark)
        visit.watch.allow("40[034] GET /admin/")
        check(visit.open(path), title)


@each_size
@each_theme
def test_each_error_template_is_accessible_and_links_to_the_dashboard(
    seeded: Site, visitors: Visitors, size: tuple[int, int], dark: bool
) -> None:
    visit = visitors.visit(seeded, "operator", size=size, dark=dark)
    visit.watch.allow("(403|50[03]) GET /admin/")
    for template, (status, title) in BROKEN.items():
        html = render_to_string(template)
        visit.page.route("**/admin/broken/", partial(_answer, status=int(status), body=html))
        check(visit.open("/admin/broken/"), title)


@each_size
def test_a_confirmation_is_accessible_and_can_be_left_with_the_keyboard(
    seeded: Site, visitors: Visitors, size: tuple[int, int]
) -> None:
    visit = visitors.visit(seeded, "operator", size=size)
    page = visit.open("/admin/mirrors/mirrorjob/?status__exact=pending")
    page.locator(ROWS).first.click()
    page.get_by_role("button", name="Cancel").click()
    confirm = page.get_by_role("button", name="Cancel (1)")
    expect(confirm).to_be_visible()
    for theme in ("light", "dark"):
        use_theme(page, theme)
        assert grave_faults(page) == []
    assert overflow(page) == 0
    confirm.focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Keep")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Cancel", exact=True)).to_be_visible()


def test_an_unknown_filter_value_is_announced(seeded: Site, visitors: Visitors) -> None:
    page = visitors.visit(seeded, "operator", size=PHONE).open("/admin/mirrors/mirrorjob/?status__exact=nope")
    expect(page.get_by_role("alert")).to_contain_text("Status has no value “nope”. Choose one of: Queued, Running")
    assert grave_faults(page) == []
    assert overflow(page) == 0
    page.get_by_role("link", name="Show all").click()
    expect(page.locator("#result_list tr.data-row").first).to_be_visible()
