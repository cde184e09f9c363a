"""A webhook with its database and a target registry in memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import DatabaseTemplate
from tests.support.faulty_registry import FaultyRegistry
from tests.support.postgres import PostgresServer, require_postgres, running_server
from tests.support.system import Webhook, running_webhook
from tests.webhook.mirrored import load_source

FILTERS = [
    {"jmespath": "obj.metadata.namespace == 'kube-system'"},
    {"jmespath": "contains(container.image, 'internal.example.com')"},
]


@pytest.fixture(scope="module")
def target() -> Iterator[MemoryRegistry]:
    with MemoryRegistry() as registry:
        yield registry


@pytest.fixture(scope="module")
def source() -> Iterator[MemoryRegistry]:
    """A registry with the images of ``mirrored_webhook``."""
    with MemoryRegistry() as registry:
        load_source(registry)
        yield registry


@pytest.fixture(scope="module")
def always(
    target: MemoryRegistry, database_template: DatabaseTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Webhook]:
    """A webhook that always swaps and copies nothing, so that its response depends only on the pod."""
    keys: dict[str, Any] = {"imageSwapPolicy": "always", "imageCopyPolicy": "none", "source": {"filters": FILTERS}}
    directory = tmp_path_factory.mktemp("always")
    with running_webhook(directory, database_template, target=target.host, **keys) as webhook:
        yield webhook


@pytest.fixture(scope="module")
def delayed(
    target: MemoryRegistry, database_template: DatabaseTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Webhook]:
    """A webhook with the default policies and without a worker. Sources are read from the target registry itself."""
    source = {"registries": [{"type": "oci", "host": target.host, "insecure": True}]}
    directory = tmp_path_factory.mktemp("delayed")
    with running_webhook(directory, database_template, target=target.host, prefix="mirror", source=source) as webhook:
        yield webhook


@pytest.fixture
def faulty() -> Iterator[FaultyRegistry]:
    """A target for one test, with injected faults."""
    with FaultyRegistry() as registry:
        yield registry


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """A migrated Postgres server that the test can stop and start."""
    require_postgres()
    with running_server(is_migrated=True) as server:
        yield server
