"""Opens pages over HTTP with a session, and in this process, where their queries are counted."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.cookies import SimpleCookie
from statistics import quantiles
from urllib.parse import urlencode

import urllib3
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.page import Page
from benchmarks.servers import Server

FORM = "application/x-www-form-urlencoded"
MOST_MS, MOST_QUERIES = 200.0, 14
GOOD = (200, 286)
"""The statuses of a successful response; with 286, htmx stops polling a part of a page."""


@dataclass(frozen=True, slots=True)
class Visited:
    """The figures of one page: response times (ms) of all requests except the first, and the queries of one request.

    ``cpu_ms`` is the CPU time of the web process per request, measured in steps of 10 ms over all requests; ``sql_ms``
    is the time of the queries. On a shared machine, both are more reliable than response times.
    """

    name: str
    url: str
    status: int
    p50_ms: float
    p95_ms: float
    cpu_ms: float
    sql_ms: float
    queries: int
    slowest_query_ms: float
    slowest_query: str

    @property
    def is_slow(self) -> bool:
        return self.status not in GOOD or self.p95_ms > MOST_MS or self.queries > MOST_QUERIES


class Visitor:
    """A browser with a session at a running web process."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._pool = urllib3.PoolManager()
        self._cookies = SimpleCookie()

    def log_in(self, name: str, password: str) -> None:
        """Sign in with the form, like a user. Raises RuntimeError if that fails."""
        path = "/admin/login/"
        found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self._request("GET", path).data.decode())
        assert found is not None
        fields = {"csrfmiddlewaretoken": found[1], "username": name, "password": password}
        if self._request("POST", path, urlencode(fields | {"next": "/admin/"})).status != 302:
            raise RuntimeError(f"{name} could not log in")

    def open(self, page: Page) -> tuple[int, float]:
        """Return the status, and the milliseconds to the last byte."""
        started = time.perf_counter()
        status = self._request("POST" if page.body else "GET", page.url, page.body, page.content_type).status
        return status, (time.perf_counter() - started) * 1_000

    def _request(self, method: str, url: str, body: str = "", kind: str = FORM) -> urllib3.BaseHTTPResponse:
        headers = {"Cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in self._cookies.items())}
        if body:
            headers |= {"Content-Type": kind, "X-CSRFToken": self._cookies["csrftoken"].value}
        response = self._pool.request(
            method, self._base + url, body=body or None, headers=headers, redirect=False, retries=False, timeout=120
        )
        for cookie in response.headers.getlist("Set-Cookie"):
            self._cookies.load(cookie)
        return response


def visit(page: Page, visitor: Visitor, inside: Client, server: Server, *, requests: int) -> Visited:
    """Measure one page."""
    visitor.open(page)
    before = server.cpu_seconds()
    responses = [visitor.open(page) for _ in range(requests)]
    used = server.cpu_seconds() - before
    seconds = sorted(milliseconds for _, milliseconds in responses)
    queries = queries_of(page, inside)
    slowest = max(queries, key=lambda query: float(query["time"]), default={"time": "0", "sql": ""})
    return Visited(
        name=page.name,
        url=page.url,
        status=max(status for status, _ in responses),
        p50_ms=seconds[len(seconds) // 2],
        p95_ms=p95(seconds),
        cpu_ms=used / requests * 1_000,
        sql_ms=sum(float(query["time"]) for query in queries) * 1_000,
        queries=len(queries),
        slowest_query_ms=float(slowest["time"]) * 1_000,
        slowest_query=slowest["sql"],
    )


def p95(took: Sequence[float]) -> float:
    return quantiles(took, n=20, method="inclusive")[18]


def queries_of(page: Page, inside: Client) -> list[dict[str, str]]:
    """Return the SQL statements of one request, which this process handles with the same code and database."""
    with CaptureQueriesContext(connection) as captured:
        if page.body:
            inside.post(page.url, page.body, content_type=page.content_type)
        else:
            inside.get(page.url)
    return list(captured.captured_queries)


def inside_as(user: User) -> Client:
    client = Client(SERVER_NAME="localhost", raise_request_exception=False)
    client.force_login(user)
    return client
