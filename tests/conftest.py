"""Fixtures and hooks that all test suites share."""

from __future__ import annotations

import ast
import gc
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings as hypothesis_settings

from tests.support.controlplane import ADMIN, ControlPlane, control_plane
from tests.support.databases import DatabaseTemplate, name_of
from tests.support.kept_logs import add_logs

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

# Tests must not fail because the machine is busy.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")

# No test needs a response of an internet name server. One that does not respond delays a lookup by only one second, in
# this process and in the processes that tests start.
os.environ.setdefault("RES_OPTIONS", "timeout:1 attempts:1")


IMPORTS = (ast.Import, ast.ImportFrom)

STARTS_SERVERS = {
    "ControlPlane",
    "FaultyRegistry",
    "Forked",
    "MemoryRegistry",
    "Process",
    "Webhook",
    "distribution",
    "helm",
    "notes",
    "posted",
    "render",
    "run_suite",
    "running_registry",
    "running_webhook",
    "run_manage",
    "subprocess",
}
"""Names that a test module imports if its tests start processes or servers."""

SERVERS = {
    "aws",
    "database_url",
    "distribution_3",
    "distribution_registry",
    "live_server",
    "make_registry",
    "plane",
    "profiled",
}
"""Fixtures that are servers, or that only tests of servers use."""


OBJECTS_BETWEEN_COLLECTIONS = 20_000
"""The garbage collector's first threshold. A page of the admin creates a hundred times the 700 objects of Python's
default."""


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect the tests without garbage collection, which takes a third of the time and frees nothing, because all
    collected objects live until the end. While the tests run, the collector ignores these objects, and runs less often
    on the objects that a page creates."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, 10, 10)
        gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Ignore modules that cannot contain fast tests when only fast tests are run, so that they are not imported."""
    is_fast_only = str(config.getoption("markexpr")).startswith("fast ")
    if not is_fast_only or not collection_path.match("test_*.py"):
        return None
    imports = [node for node in ast.parse(collection_path.read_bytes()).body if isinstance(node, IMPORTS)]
    return bool({name.asname or name.name for node in imports for name in node.names} & STARTS_SERVERS) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests: ``database`` for those that depend on the kind of database, so that they can also be run on
    Postgres, and ``fast`` for those that start no server and try no generated examples, so that they can be run after
    each edit."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        starts_servers = vars(getattr(item, "module", None) or item).keys() & STARTS_SERVERS or fixtures & SERVERS
        tries_examples = getattr(getattr(item, "obj", None), "is_hypothesis_test", False)
        if not starts_servers and not tries_examples and not {"scale", "e2e"} & set(item.path.parts):
            item.add_marker("fast")
        if "e2e" in item.path.parts:
            item.add_marker("cluster")
        if fixtures & {"db", "transactional_db", "database_url"} or item.get_closest_marker("django_db"):
            item.add_marker("database")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        add_logs(item, report)
    return report


@pytest.fixture(scope="session", autouse=True)
def recorded_templates(django_test_environment: None) -> None:
    """Make test clients record only the template of a page, and templates with their own context, for
    ``response.context``. Django would also record each included template, several hundred per page, each with a copy of
    the page's context."""
    from django.template import Context, Template

    recorded: Callable[[Template, Context], SafeString] = Template._render  # type: ignore[attr-defined]

    def render(template: Template, context: Context) -> SafeString:
        is_part = context.template is not template
        return template.nodelist.render(context) if is_part else recorded(template, context)

    Template._render = render  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def counts_of_this_test() -> None:
    """Clear what the process caches of past days, because it belongs to other tests."""
    from mirrors.readiness import recent
    from mirrors.selectors.clusters import backfill
    from mirrors.selectors.images import mapping_states
    from mirrors.selectors.overview import statistics

    recent.forget()
    statistics.forget()
    mapping_states.state_count_cache.forget()
    backfill.cluster_cache.forget()


@pytest.fixture(scope="session")
def database_template() -> DatabaseTemplate:
    """A migrated database from which new ones are copied."""
    return DatabaseTemplate.migrated()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    database_template: DatabaseTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Use a copy as this process's own test database too. Otherwise each process would migrate its own."""
    from django.conf import settings

    with database_template.copy(tmp_path_factory.mktemp("database")) as url:
        settings.DATABASES["default"]["TEST"]["NAME"] = name_of(url)
        yield


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """Return True: use the existing database, which is deleted with its copy."""
    return True


@pytest.fixture
def database_url(database_template: DatabaseTemplate, tmp_path: Path) -> Iterator[str]:
    """The URL of a migrated, empty database that only this test uses, for processes that the test starts."""
    with database_template.copy(tmp_path) as url:
        yield url


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    """A real API server, one per session. Each test uses its own namespaces."""
    with control_plane() as running:
        running.namespace("swapper")
        yield running


@pytest.fixture
def read_plane(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlPlane]:
    """The same API server, configured as the one that this process reads."""
    from mirrors.kubernetes.api_server.api_client import _client

    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig(ADMIN)))
    _client.cache_clear()
    yield plane
    _client.cache_clear()
