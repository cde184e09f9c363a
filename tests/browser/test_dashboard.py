"""The dashboard refreshes itself: numbers and running copies change without a reload, and old numbers are marked."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator

import psycopg
import pytest
from playwright.sync_api import Locator, Page, expect

from mirrors.demo.images import sample_image
from tests.browser.jobs import wait_for
from tests.browser.sites import Site, System
from tests.browser.visits import Visitors
from tests.support.faulty_registry import held
from tests.support.ports import wait_until

DRAWN = """Chart.getChart(document.querySelector("canvas[data-of=jobs]")).data.datasets
  .find((set) => set.label === "Succeeded").data.reduce((sum, jobs) => sum + jobs, 0)"""
UNTOUCHED = "document.documentElement.dataset.untouched"
STALE = "Data is stale"


def number_of(page: Page, title: str) -> Locator:
    card = page.locator("a.swapper-card", has=page.get_by_role("heading", name=title, exact=True))
    return card.locator("strong")


def test_a_finished_copy_updates_the_dashboard_without_a_reload(system: System, visitors: Visitors) -> None:
    sample_image(seed=11, layer_bytes=2_000).load(system.source.storage, "live/app", "1")
    page = visitors.visit(system, "viewer").open("/admin/")
    page.evaluate(f"{UNTOUCHED} = 'yes'")
    before = int(number_of(page, "Succeeded jobs").inner_text())
    drawn = page.evaluate(DRAWN)

    system.order(f"{system.source.host}/live/app:1")

    expect(number_of(page, "Succeeded jobs")).to_have_text(str(before + 1))
    assert page.evaluate(DRAWN) == drawn + 1
    assert page.evaluate(UNTOUCHED) == "yes"


def test_chart_hours_are_formatted_as_in_lists(seeded: Site, visitors: Visitors) -> None:
    page = visitors.visit(seeded, "viewer").open("/admin/")
    page.wait_for_function("Chart.getChart(document.querySelector('canvas[data-of=jobs]')) !== undefined")
    hours = page.evaluate("Chart.getChart(document.querySelector('canvas[data-of=jobs]')).data.labels")
    assert len(hours) >= 24 and [hour for hour in hours if not re.fullmatch(r"\d\d:00", hour)] == []


def test_the_focus_is_kept_while_numbers_are_refreshed(system: System, visitors: Visitors) -> None:
    sample_image(seed=13, layer_bytes=2_000).load(system.source.storage, "focus/app", "1")
    page = visitors.visit(system, "viewer").open("/admin/")
    card = page.get_by_role("link", name=re.compile("Succeeded jobs"))
    before = card.inner_text()
    # One of three links to the same list.
    admitted = page.locator(".swapper-cards span a").nth(1)
    admitted.focus()

    system.order(f"{system.source.host}/focus/app:1")

    expect(card).not_to_have_text(before)
    expect(admitted).to_be_focused()


def test_a_running_copy_shows_its_progress_on_the_dashboard(system: System, visitors: Visitors) -> None:
    image = f"{system.source.host}/slow/app:1"
    sample_image(seed=12, layers=1, layer_bytes=800_000, platforms=("linux/amd64",)).load(
        system.source.storage, "slow/app", "1"
    )
    release = threading.Event()
    # The configuration blob passes. The layer waits after more than two chunks, because a copy holds the newest chunk
    # back.
    system.source.on("GET /v2/slow/app/blobs/", held(release, after=600_000), times=2)
    page = visitors.visit(system, "viewer").open("/admin/")
    try:
        system.order(image)
        bar = page.get_by_role("progressbar", name=image)
        expect(bar).to_be_visible()
        expect(bar).not_to_have_attribute("value", "0")
        assert 0 < int(bar.get_attribute("value") or 0) < 100
    finally:
        release.set()
    expect(bar).to_have_count(0)
    wait_for(system, image, "succeeded")


@pytest.fixture
def without_database(system: System) -> Iterator[threading.Event]:
    """An event that starts the database again when it is set. The database also runs again after the test."""
    back = threading.Event()
    with psycopg.connect(f"{system.server.url}/postgres", autocommit=True) as connection:
        # The tests' server does not flush its writes to disk without a checkpoint.
        connection.execute("CHECKPOINT")
    yield back
    if not back.is_set():
        system.server.start()
    wait_until(system.is_ready, timeout=60, what="the pages after the database")


def test_pages_report_an_unavailable_database_and_recover_with_it(
    system: System, visitors: Visitors, without_database: threading.Event
) -> None:
    visit = visitors.visit(system, "operator")
    visit.watch.allow("503 GET /admin/")
    page = visit.open("/admin/")
    expect(page.get_by_text(STALE)).to_be_hidden()
    listed = page.context.new_page()
    listed.goto(f"{system.url}/admin/mirrors/mirrorjob/")

    system.server.stop()

    expect(page.get_by_text(STALE)).to_be_visible()
    expect(listed.get_by_text(STALE)).to_be_visible(timeout=30_000)
    other = page.context.new_page()
    response = other.goto(f"{system.url}/admin/mirrors/mirrorjob/")
    assert response is not None and response.status == 503
    expect(other.get_by_role("heading", name="Database unavailable")).to_be_visible()

    system.server.start()
    without_database.set()

    expect(page.get_by_text(STALE)).to_be_hidden()
    expect(listed.get_by_text(STALE)).to_be_hidden(timeout=30_000)
    other.goto(f"{system.url}/admin/mirrors/mirrorjob/")
    expect(other.get_by_role("heading").first).to_be_visible()
