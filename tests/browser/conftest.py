"""The running system and the browser, shared by all tests of a process. A test fails if a page has a fault."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.chromium import require_chromium, running_chromium
from tests.browser.sites import Site, System, running_system, seeded_site
from tests.browser.visits import Visitors
from tests.support.postgres import PostgresServer, require_postgres, running_server
from tests.support.registries import require_docker_registry


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "visitors" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")
            item.add_marker(pytest.mark.timeout(300))


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    require_chromium()
    expect.set_options(timeout=20_000)
    with pytest.MonkeyPatch.context() as patch:
        # Playwright runs an event loop in this thread, in which other tests of the process use the ORM.
        patch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        with running_chromium() as browser:
            yield browser


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    require_postgres()
    with running_server() as running:
        yield running


@pytest.fixture(scope="session")
def seeded(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with 500 images, of which 40 failed, without activity."""
    with seeded_site(server, tmp_path_factory.mktemp("seeded")) as site:
        yield site


@pytest.fixture(scope="session")
def system(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole running system. Tests share it, so each uses separate repositories."""
    require_docker_registry()
    with running_system(server, tmp_path_factory.mktemp("system")) as running:
        yield running


@pytest.fixture(scope="session")
def _visitors(chromium: Browser) -> Visitors:
    return Visitors(chromium)


@pytest.fixture
def visitors(_visitors: Visitors) -> Iterator[Visitors]:
    """Opens pages: ``visitors.visit(system, "operator").open("/admin/")``. Any fault on them fails the test."""
    yield _visitors
    assert _visitors.leave() == []
