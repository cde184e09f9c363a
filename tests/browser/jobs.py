"""Helpers for tests of jobs: waiting for rows of jobs, and running an action on selected rows."""

from __future__ import annotations

import re

from playwright.sync_api import Page

from tests.browser.sites import System
from tests.support.databases import query
from tests.support.ports import wait_until

JOBS = "/admin/mirrors/mirrorjob/"
RETRY = "Retry …"


def wait_for(system: System, image: str, status: str, *, jobs: int = 1) -> None:
    """Wait for this number of jobs with this status. ``image`` is a LIKE pattern for their sources."""
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
    """Choose an action for the selected rows, and confirm it on the confirmation page."""
    page.get_by_label("Select action to run").select_option(label=action)
    page.get_by_role("button", name="Run").click()
    confirm(page)


def confirm(page: Page) -> None:
    """Confirm an action: the confirmation page shows the number of rows on its button."""
    page.get_by_role("button", name=re.compile(r"\(\d+\)$")).click()
