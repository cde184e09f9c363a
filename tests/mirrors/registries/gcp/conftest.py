"""The stand-ins for Google, and the driver that uses them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mirrors.registries import cloud_tokens
from mirrors.registries.gcp.driver import GarDriver
from mirrors.registries.gcp.login import log_in
from swapper_project import config as configuration
from swapper_project.config import GcpTarget
from tests.support.google import ArtifactRegistry, TokenServer, artifact_registry, target_keys, token_server

MakeDriver = Callable[..., GarDriver]


@pytest.fixture(scope="session")
def metadata_server() -> Iterator[TokenServer]:
    """One server for the session, because google.auth reads its address only once."""
    with token_server() as server, pytest.MonkeyPatch.context() as patch:
        for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP"):
            patch.setenv(name, server.host)
        yield server


@pytest.fixture
def metadata(metadata_server: TokenServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[TokenServer]:
    """A metadata server without recorded requests, which google.auth finds in this process."""
    log_in.cache_clear()
    metadata_server.reset()
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", "/nonexistent")
    yield metadata_server
    cloud_tokens.close_all()
    metadata_server.go.set()


@pytest.fixture
def gar(metadata: TokenServer, tmp_path: Path) -> Iterator[ArtifactRegistry]:
    with artifact_registry(tmp_path) as service:
        yield service


@pytest.fixture
def make_driver(gar: ArtifactRegistry) -> MakeDriver:
    def make(**keys: Any) -> GarDriver:
        config = configuration.parse(json.dumps({"target": target_keys(api=gar, **keys)}))
        assert isinstance(config.target.chosen, GcpTarget)
        return GarDriver(config.target.chosen, trusted_ca=gar.ca_file)

    return make
