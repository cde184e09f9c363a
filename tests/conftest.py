"""Fixtures that all suites share."""

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

# A busy machine makes no test wrong.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")

# No test asks a name server of the internet for an answer that it needs: one that does not respond costs a second, here
# and in the processes that tests start.
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
"""Fixtures that are servers, or for them."""


OBJECTS_BETWEEN_COLLECTIONS = 20_000
"""A page of the admin creates more than the 700 of Python's own threshold a hundred times."""


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Without garbage collection: it takes a third of the time to read the tests, and finds nothing, as all of them
    stay to the end. It does not look at them again while they run, and less often at those that a page takes."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS, 10, 10)
        gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Where only fast tests are run, modules are not imported that cannot have any."""
    is_fast_only = str(config.getoption("markexpr")).startswith("fast ")
    if not is_fast_only or not collection_path.match("test_*.py"):
        return None
    imports = [node for node in ast.parse(collection_path.read_bytes()).body if isinstance(node, IMPORTS)]
    return bool({name.asname or name.name for node in imports for name in node.names} & STARTS_SERVERS) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what depends on the kind of database, so that it can be run on the other one too, and what needs no server
    and tries no hundreds of examples, so that it can be run after each edit."""
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
    """Test clients record the template of a page and those with a context of their own, for ``response.context``.
    Django's would record each part too, several hundred a page, with a copy of the page's context."""
    from django.template import Context, Template

    recorded: Callable[[Template, Context], SafeString] = Template._render  # type: ignore[attr-defined]

    def render(template: Template, context: Context) -> SafeString:
        is_part = context.template is not template
        return template.nodelist.render(context) if is_part else recorded(template, context)

    Template._render = render  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def counts_of_this_test() -> None:
    """What the process keeps of days that are over is another test's."""
    from mirrors.readiness import recent
    from mirrors.selectors.clusters import backfill
    from mirrors.selectors.images import mapping_states
    from mirrors.selectors.overview import statistics

    recent.forget()
    statistics.forget()
    mapping_states.kept.forget()
    backfill.kept_clusters.forget()


@pytest.fixture(scope="session")
def database_template() -> DatabaseTemplate:
    """A migrated database that fresh ones are copied from."""
    return DatabaseTemplate.migrated()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    database_template: DatabaseTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """The database of tests in this process is a copy too: each process would migrate one of its own otherwise."""
    from django.conf import settings

    with database_template.copy(tmp_path_factory.mktemp("database")) as url:
        settings.DATABASES["default"]["TEST"]["NAME"] = name_of(url)
        yield


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """What is there is used. It is deleted with the copy."""
    return True


@pytest.fixture
def database_url(database_template: DatabaseTemplate, tmp_path: Path) -> Iterator[str]:
    """URL of a migrated, empty database of this test alone, for processes that the test starts."""
    with database_template.copy(tmp_path) as url:
        yield url


@pytest.fixture(scope="session")
def plane() -> Iterator[ControlPlane]:
    """A real API server, one a session; tests use namespaces of their own."""
    with control_plane() as running:
        running.namespace("swapper")
        yield running


@pytest.fixture
def read_plane(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlPlane]:
    """The same, as the API server that this process reads."""
    from mirrors.kubernetes.api_server.api_client import _client

    monkeypatch.setenv("KUBECONFIG", str(plane.kubeconfig(ADMIN)))
    _client.cache_clear()
    yield plane
    _client.cache_clear()
