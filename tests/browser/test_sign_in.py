"""Signing in: a wrong password shows an error, the right one the dashboard."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.sites import Site
from tests.browser.visits import Visitors, log_in


def test_a_wrong_password_is_reported_and_the_correct_one_opens_the_dashboard(seeded: Site, visitors: Visitors) -> None:
    visit = visitors.visit(seeded, "")
    log_in(visit, "olga", "not her password")
    expect(visit.page.get_by_text("Enter a correct username and password")).to_be_visible()

    log_in(visit, "olga")

    expect(visit.page).to_have_url(f"{seeded.url}/admin/")
    expect(visit.page.get_by_role("heading", name="Coverage")).to_be_visible()


def test_an_unauthenticated_user_gets_the_sign_in_form(seeded: Site, visitors: Visitors) -> None:
    visit = visitors.visit(seeded, "")
    for path in ("/admin/", "/admin/mirrors/mirrorjob/", "/admin/mirrors/imagemapping/", "/admin/explain/"):
        page = visit.open(path)
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
