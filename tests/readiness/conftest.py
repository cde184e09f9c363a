"""A fixture that configures the web process."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from pytest_django import Settings

from swapper_project.process import configured
from tests.readiness.cluster_rows import config_in


@pytest.fixture
def configured_web(tmp_path: Path, settings: Settings) -> None:
    configured._source_at.cache_clear()
    settings.ENVIRONMENT = dataclasses.replace(settings.ENVIRONMENT, config=config_in(tmp_path))
