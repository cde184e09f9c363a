"""Debian's Chromium, controlled by Playwright. It can connect only to this machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

ARGUMENTS = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--force-color-profile=srgb"]


@contextmanager
def running_chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    assert path is not None, "chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def require_chromium() -> None:
    """Skip visibly if the browser is missing, or fail in CI."""
    if shutil.which("chromium"):
        return
    if os.environ.get("CI") == "true":
        pytest.fail("chromium is missing: apt-get install chromium")
    pytest.skip("needs Debian's package chromium")
