"""The recording of faults detects the faults that it must detect."""

from __future__ import annotations

import contextlib

from playwright.sync_api import Error

from tests.browser.sites import Site
from tests.browser.visits import Visitors

PROVOKE = """() => {
  console.error("a thing went wrong");
  setTimeout(() => { throw new Error("nobody catches me"); });
  const picture = new Image();
  picture.src = "http://elsewhere.example/picture.png";
  return fetch("/admin/no-such-page/");
}"""


def test_each_kind_of_fault_is_recorded(seeded: Site, visitors: Visitors) -> None:
    visit = visitors.visit(seeded, "viewer")
    page = visit.open("/admin/mirrors/mirrorjob/")
    with page.expect_event("console", lambda message: "content policy" in message.text):
        page.evaluate(PROVOKE)
    other = page.context.new_page()
    with contextlib.suppress(Error):
        other.goto("http://elsewhere.example/")

    faults = visitors.leave()

    kinds = (
        "console: a thing",
        "console: content policy: img-src",
        "script: ",
        "404 GET /admin/no-such-page/",
        "other host: http://elsewhere.example/",
        "failed GET /: net::ERR_NAME_NOT_RESOLVED",
    )
    assert [kind for kind in kinds if not any(fault.startswith(kind) for fault in faults)] == []
