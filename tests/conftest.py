"""Fixtures that all suites share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.databases import DatabaseTemplate
from tests.support.fixtures import *  # noqa: F403


@pytest.fixture(scope="session")
def database_template(tmp_path_factory: pytest.TempPathFactory) -> DatabaseTemplate:
    """A migrated database that fresh ones are copied from."""
    return DatabaseTemplate.migrated(tmp_path_factory.mktemp("template"))


@pytest.fixture
def database_url(database_template: DatabaseTemplate, tmp_path: Path) -> Iterator[str]:
    """URL of a migrated, empty database of this test alone, for processes that the test starts."""
    with database_template.copy(tmp_path) as url:
        yield url
