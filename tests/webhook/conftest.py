"""A webhook with its database and a target registry in memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mirrors.demo.images import sample_image
from mirrors.demo.registry import MemoryRegistry
from tests.support.databases import DatabaseTemplate
from tests.support.system import Webhook, write_config

FILTERS = [
    {"jmespath": "obj.metadata.namespace == 'kube-system'"},
    {"jmespath": "contains(container.image, 'internal.example.com')"},
]


@pytest.fixture(scope="module")
def target() -> Iterator[MemoryRegistry]:
    with MemoryRegistry() as registry:
        yield registry


@pytest.fixture(scope="module")
def always(
    target: MemoryRegistry, database_template: DatabaseTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Webhook]:
    """A webhook that swaps always and copies nothing: what it answers depends on the pod alone."""
    yield from _running(
        target, database_template, tmp_path_factory.mktemp("always"), imageSwapPolicy="always", imageCopyPolicy="none"
    )


@pytest.fixture(scope="module")
def delayed(
    target: MemoryRegistry, database_template: DatabaseTemplate, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Webhook]:
    """A webhook with the default policies; no worker runs. Sources are read at the target registry itself."""
    sources = [{"type": "oci", "host": target.host, "insecure": True}]
    yield from _running(
        target, database_template, tmp_path_factory.mktemp("delayed"), source={"registries": sources}, prefix="mirror"
    )


def _running(
    target: MemoryRegistry, template: DatabaseTemplate, directory: Path, prefix: str = "", **keys: object
) -> Iterator[Webhook]:
    keys = {"source": {"filters": FILTERS}, **keys}
    with template.copy(directory) as url:
        webhook = Webhook(
            write_config(directory / "config.yaml", target=target.host, prefix=prefix, **keys), url, directory
        )
        webhook.prepare()
        webhook.start()
        try:
            yield webhook
        finally:
            webhook.stop()


@pytest.fixture(scope="module")
def image(target: MemoryRegistry) -> str:
    """A public image at a source registry."""
    sample_image(layers=1, layer_bytes=10).load(target.storage, "team/app", "1.0")
    return f"{target.host}/team/app:1.0"
