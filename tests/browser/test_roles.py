"""What each role can do on the pages: a viewer reads, an operator acts, an admin configures."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import expect

from tests.browser.jobs import JOBS, RETRY
from tests.browser.pages import ROWS
from tests.browser.sites import Site
from tests.browser.visits import Role, Visitors

REGISTRIES = "/admin/mirrors/registry/"


def test_a_viewer_has_no_retry_action(seeded: Site, visitors: Visitors) -> None:
    page = visitors.visit(seeded, "viewer").open(JOBS)
    expect(page.locator(ROWS).first).to_be_visible()
    expect(page.locator("option", has_text=RETRY)).to_have_count(0)
    page = visitors.visit(seeded, "operator").open(JOBS)
    expect(page.locator("option", has_text=RETRY)).to_have_count(1)


@pytest.mark.parametrize(("role", "may"), [("viewer", False), ("operator", False), ("admin", True)])
def test_only_admins_can_edit_registries(seeded: Site, visitors: Visitors, role: Role, may: bool) -> None:
    visit = visitors.visit(seeded, role)
    page = visit.open(REGISTRIES)
    page.get_by_role("link", name="docker.io", exact=True).click()
    expect(page).to_have_url(re.compile(r"/registry/\d+/change/"))
    expect(page.get_by_role("heading").first).to_be_visible()
    expect(page.get_by_role("button", name="Save", exact=True)).to_have_count(int(may))
    visit.watch.allow(f"403 GET {REGISTRIES}add/")
    response = page.goto(f"{seeded.url}{REGISTRIES}add/")
    assert response is not None and response.status == (200 if may else 403)


def test_dashboard_cards_can_be_opened_with_the_keyboard(seeded: Site, visitors: Visitors) -> None:
    """Tab leads from the start of the page to the first card, and Enter to the list behind the card."""
    page = visitors.visit(seeded, "viewer").open("/admin/")
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.matches('.swapper-cards a')"):
            break
    expect(page.locator(".swapper-cards a:focus")).to_have_count(1)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/admin/mirrors/imagemapping/\?state=mirrored"))


def test_hours_of_decisions_are_ranges_in_the_time_zone_of_the_user(seeded: Site, visitors: Visitors) -> None:
    page = visitors.visit(seeded, "viewer").open("/admin/mirrors/decisioncount/")
    hours = page.locator("#result_list time[data-hour]")
    assert hours.count() > 10
    berlin = ZoneInfo("Europe/Berlin")
    today = datetime.now(berlin).date()
    for hour in hours.all():
        start = datetime.fromisoformat(hour.get_attribute("datetime") or "").astimezone(berlin)
        end = f"{start + timedelta(hours=1):%H:%M}".replace("00:00", "24:00")
        words = hour.inner_text()
        assert words.endswith(f"{start:%H:%M}–{end}")
        assert words.startswith(f"{start:%H:%M}") == (start.date() == today), words
        assert (f"{start:%b}" in words and str(start.day) in words) or start.date() == today, words


def test_time_range_filters_use_the_time_zone_of_the_user(seeded: Site, visitors: Visitors) -> None:
    """The zone is that of Berlin, which is one hour ahead of the server's in winter."""
    since = "finished_at_from_0=2026-01-01&finished_at_from_1=23:30:00"
    page = visitors.visit(seeded, "viewer").open(f"/admin/mirrors/mirrorjob/?{since}")
    page.get_by_role("button", name=re.compile("^Filters")).press("Enter")
    date, time = (page.locator(f"#id_finished_at_from_{part}") for part in (0, 1))
    expect(date).to_have_value("2026-01-02")
    expect(time).to_have_value("00:30:00")
    expect(page.locator(".timezonewarning")).to_have_count(0)
    time.fill("1:00")
    page.get_by_role("button", name="Apply filters").click()
    expect(page).to_have_url(re.compile("finished_at_from_0=2026-01-02&finished_at_from_1=00%3A00%3A00"))
    expect(time).to_have_value("01:00:00")
    page.go_back()
    expect(time).to_have_value("00:30:00")
    expect(date).to_have_value("2026-01-02")


def test_the_first_tab_focuses_the_link_that_skips_the_menu(seeded: Site, visitors: Visitors) -> None:
    page = visitors.visit(seeded, "viewer").open("/admin/mirrors/mirrorjob/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.getElementById('content').contains(document.activeElement)")


def test_a_deletion_can_be_cancelled_or_confirmed(seeded: Site, visitors: Visitors) -> None:
    page = visitors.visit(seeded, "admin").open(f"{REGISTRIES}add/")
    for field, value in (("name", "old"), ("endpoint", "old.example.com")):
        page.locator(f"#id_{field}").fill(value)
    page.get_by_role("button", name="Save", exact=True).click()
    row = page.get_by_role("link", name="old.example.com", exact=True)
    row.click()
    page.get_by_role("link", name="Delete registry").click()
    page.get_by_role("link", name="Keep").click()
    expect(page).to_have_url(re.compile(r"/registry/\d+/change/"))
    page.get_by_role("link", name="Delete registry").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page).to_have_url(re.compile(f"{REGISTRIES}$"))
    expect(page.locator(ROWS).first).to_be_visible()
    expect(row).to_have_count(0)
