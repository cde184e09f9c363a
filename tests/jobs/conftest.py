"""Fixtures of the tests of jobs: a source and a target in memory, and shortened times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import Settings

from mirrors.demo.registry import MemoryRegistry
from mirrors.jobs.context.worker_context import WorkerContext
from tests.jobs.support import FAST, config_file, context
from tests.support.faulty_registry import FaultyRegistry


@pytest.fixture(autouse=True)
def fast(settings: Settings) -> None:
    settings.JOB_TIMING = FAST


@pytest.fixture
def source() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as registry:
        yield registry


@pytest.fixture
def target() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as registry:
        yield registry


@pytest.fixture
def made(
    transactional_db: None, source: MemoryRegistry, target: MemoryRegistry, tmp_path: Path
) -> Iterator[WorkerContext]:
    """The context of a worker process that copies from ``source`` to ``target``."""
    with context(config_file(tmp_path, source, target)) as ready:
        yield ready
