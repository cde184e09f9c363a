"""Every page of the menu opens without a fault: for every role, at a desk and on a phone, in light and dark."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from tests.browser.accessibility import COLOURS, grave_faults
from tests.browser.pages import OF_OUR_OWN, all_pages, menu, overflow, use_theme
from tests.browser.sites import Site
from tests.browser.visits import PHONE, Role, Visit, Visitors


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_each_page_opens(seeded: Site, visitors: Visitors, role: Role) -> None:
    visit = visitors.visit(seeded, role)
    assert "/admin/mirrors/mirrorjob/" in menu(visit)
    assert "/admin/auth/user/" not in menu(visit), "users are the admins' to look after"
    for path in all_pages(visit):
        assert visit.page.get_by_role("heading").count() or not path.startswith(OF_OUR_OWN), path


def test_each_page_is_accessible_on_a_desktop_in_light_and_dark(seeded: Site, visitors: Visitors) -> None:
    visit = visitors.visit(seeded, "admin")
    faults: list[str] = []
    for path in _ours(visit):
        use_theme(visit.page, "light")
        found = grave_faults(visit.page)
        use_theme(visit.page, "dark")
        found += [f"dark: {fault}" for fault in grave_faults(visit.page, rules=COLOURS)]
        faults += [f"{path} {fault}" for fault in found]
    assert not faults, "\n".join(faults)


def test_each_page_fits_and_is_accessible_on_a_phone(seeded: Site, visitors: Visitors) -> None:
    visit = visitors.visit(seeded, "admin", size=PHONE)
    faults: list[str] = []
    for path in _ours(visit):
        use_theme(visit.page, "light")
        found = grave_faults(visit.page)
        use_theme(visit.page, "dark")
        found += [f"dark: {fault}" for fault in grave_faults(visit.page, rules=COLOURS)]
        if wider := overflow(visit.page):
            found.append(f"the document is {wider} px wider than the window")
        faults += [f"{path} {fault}" for fault in found]
    assert not faults, "\n".join(faults)


def _ours(visit: Visit) -> Iterator[str]:
    return (path for path in all_pages(visit) if path.startswith(OF_OUR_OWN))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_sign_in_page_is_accessible(seeded: Site, visitors: Visitors, dark: bool) -> None:
    visit = visitors.visit(seeded, "", size=PHONE, dark=dark)
    page = visit.open("/admin/login/")
    assert grave_faults(page) == []
    assert overflow(page) == 0


def test_the_api_documentation_uses_the_theme_of_the_admin(seeded: Site, visitors: Visitors) -> None:
    """The theme of the system, until the user chooses a theme in the admin."""

    def ground(page: Page) -> str:
        found: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return found

    for system, other in (("light", "dark"), ("dark", "light")):
        visit = visitors.visit(seeded, "viewer", dark=system == "dark")
        grounds = {"light": "rgb(250, 250, 250)", "dark": "rgb(28, 32, 34)"}
        assert ground(visit.open("/api/docs/")) == grounds[system]
        use_theme(visit.open("/admin/"), other)
        assert ground(visit.open("/api/docs/")) == grounds[other]
