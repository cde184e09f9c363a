"""Faults that no test may cause: script errors, failed requests, other hosts, violations of the content policy."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Request, Response, WebError

ON_VIOLATION = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`content policy: ${event.violatedDirective} forbids ${event.blockedURI}`);
});
"""
SAID_ELSEWHERE = ("Failed to load resource", "Response Status Error Code")
"""Console messages of Chromium and htmx about 4xx and 5xx responses, which are recorded as responses."""

LEFT = "net::ERR_ABORTED"
"""The failure of requests that were in progress when the user left their page."""


class Watch:
    """Collects the faults of all pages of a browser context. ``allow`` faults that a test provokes."""

    def __init__(self, context: BrowserContext, *, site: str) -> None:
        self.faults: list[str] = []
        self._host = urlsplit(site).netloc
        self._allowed: list[re.Pattern[str]] = []
        context.add_init_script(ON_VIOLATION)
        context.on("console", self._on_console)
        context.on("weberror", self._on_error)
        context.on("request", self._on_request)
        context.on("requestfailed", self._on_failed)
        context.on("response", self._on_response)

    def allow(self, pattern: str) -> None:
        """Ignore faults whose text starts with this regular expression, such as ``503 GET /admin/``."""
        self._allowed.append(re.compile(pattern))

    def _add(self, fault: str) -> None:
        if not any(pattern.match(fault) for pattern in self._allowed):
            self.faults.append(fault)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not message.text.startswith(SAID_ELSEWHERE):
            self._add(f"console: {message.text}")

    def _on_error(self, error: WebError) -> None:
        self._add(f"script: {error.error}")

    def _on_request(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.netloc != self._host:
            self._add(f"other host: {request.url}")

    def _on_failed(self, request: Request) -> None:
        if request.failure != LEFT:
            self._add(f"failed {request.method} {urlsplit(request.url).path}: {request.failure}")

    def _on_response(self, response: Response) -> None:
        if response.status >= 400:
            self._add(f"{response.status} {response.request.method} {urlsplit(response.url).path}")
