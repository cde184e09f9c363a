"""The pages of the admin: those of the menu, as a user sees it, and the page of the first row of each list."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from playwright.sync_api import Page

from tests.browser.visits import Visit

MENU = "#nav-sidebar-apps a[href]"
ROWS = "#result_list tbody th a"
BESIDE_THE_MENU = ("/admin/mirrors/filter/try/",)
"""Pages that only other pages link to."""

OF_OUR_OWN = "/admin/"
"""The path of the admin's pages. The API's documentation is a page of Swagger."""


def menu(visit: Visit) -> list[str]:
    """Return the paths of the menu's links."""
    page = visit.open("/admin/")
    return list(dict.fromkeys(_paths(page, MENU)))


def all_pages(visit: Visit) -> Iterator[str]:
    """Open each page of the menu, the page of its first row and its form to add a row. Yield their paths."""
    for path in menu(visit):
        page = visit.open(path)
        yield path
        further = _paths(page, ROWS)[:1] + _paths(page, "#content a[href$='/add/']")[:1]
        for more in dict.fromkeys(further):
            visit.open(more)
            yield more
    for path in BESIDE_THE_MENU:
        visit.open(path)
        yield path


def _paths(page: Page, selector: str) -> list[str]:
    links = page.locator(selector).evaluate_all("links => links.map(link => link.href)")
    return [urlsplit(link).path for link in links]


def overflow(page: Page) -> int:
    """Return the pixels by which the document is wider than its window."""
    wider: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return wider


def use_theme(page: Page, name: str) -> None:
    """Switch the open page to its ``light`` or ``dark`` theme, as its menu does."""
    page.evaluate("name => { Alpine.$data(document.documentElement).adminTheme = name; }", name)
    page.wait_for_function("name => document.documentElement.classList.contains(name)", arg=name)
