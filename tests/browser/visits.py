"""A user with a browser: signed in with a role, light or dark, at a desk or on a phone. All faults are recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from playwright.sync_api import Browser, BrowserContext, Page, StorageState

from tests.browser.sites import Site
from tests.browser.watching import Watch
from tests.support.users import PASSWORD, USERS

Role = Literal["viewer", "operator", "admin", ""]
DESK: Final = (1280, 900)
PHONE: Final = (390, 844)


@dataclass(frozen=True)
class Visit:
    """One page of one user, and the faults on it so far."""

    page: Page
    watch: Watch
    site: Site

    def open(self, path: str) -> Page:
        """Open a path of the site, and wait for its scripts."""
        self.page.goto(f"{self.site.url}{path}", wait_until="load")
        return self.page


@dataclass
class Visitors:
    """Opens visits. Each user signs in once for all of them."""

    browser: Browser
    states: dict[tuple[str, Role], StorageState] = field(default_factory=dict)
    opened: list[tuple[BrowserContext, Watch]] = field(default_factory=list)

    def visit(self, site: Site, role: Role, *, size: tuple[int, int] = DESK, dark: bool = False) -> Visit:
        if role and (site.url, role) not in self.states:
            self.states[site.url, role] = self._logged_in(site, role)
        return self._open(site, self.states.get((site.url, role)), size, dark=dark)

    def leave(self) -> list[str]:
        """Close all open contexts, and return the faults that occurred in them."""
        opened, self.opened = self.opened, []
        for context, _ in opened:
            context.close()
        return [fault for _, watch in opened for fault in watch.faults]

    def _open(self, site: Site, state: StorageState | None, size: tuple[int, int], *, dark: bool = False) -> Visit:
        width, height = size
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            reduced_motion="reduce",
            storage_state=state,
            timezone_id="Europe/Berlin",
        )
        context.set_default_timeout(15_000)
        watch = Watch(context, site=site.url)
        self.opened.append((context, watch))
        return Visit(context.new_page(), watch, site)

    def _logged_in(self, site: Site, role: Role) -> StorageState:
        visit = self._open(site, None, DESK)
        log_in(visit, USERS[role])
        visit.page.wait_for_url(f"{site.url}/admin/")
        state = visit.page.context.storage_state()
        # The dashboard that it has opened would continue to request numbers.
        visit.page.close()
        return state


def log_in(visit: Visit, name: str, password: str = PASSWORD) -> None:
    """Fill in the sign-in form and submit it. The test checks the result."""
    page = visit.open("/admin/login/?next=/admin/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
