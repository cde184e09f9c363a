"""What the stories of jobs share: waiting for the rows of jobs, and acting on those that are selected."""

from __future__ import annotations

import re

from playwright.sync_api import Page

from tests.browser.sites import System
from tests.support.databases import query
from tests.support.ports import wait_until

JOBS = "/admin/mirrors/mirrorjob/"
RETRY = "Retry …"


def wait_for(system: System, image: str, status: str, *, jobs: int = 1) -> None:
    """So many jobs of images whose source is like this, in this status."""
    rows = (
        "SELECT count(*) FROM mirrors_mirrorjob j JOIN mirrors_imagemapping m ON m.id = j.mapping_id"  # noqa: S608
        f" WHERE m.source LIKE '{image}' AND j.status = '{status}'"
    )
    wait_until(
        lambda: query(system.webhook.database_url, rows) == [(jobs,)],
        timeout=60,
        what=f"{jobs} × {status} of {image} (logs: {system.webhook.directory})",
    )


def act_on_selected(page: Page, action: str) -> None:
    """Choose an action for the rows that are selected, and confirm it on the page that says what will be done."""
    page.get_by_label("Select action to run").select_option(label=action)
    page.get_by_role("button", name="Run").click()
    confirm(page)


def confirm(page: Page) -> None:
    """The page that says what will be done names the number of rows on its button."""
    page.get_by_role("button", name=re.compile(r"\(\d+\)$")).click()
