"""A webhook over TLS that always swaps. Its tests cover connections, not decisions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.authority import Authority
from tests.support.databases import DatabaseTemplate
from tests.support.system import Webhook, running_webhook

ALWAYS = {"imageSwapPolicy": "always", "imageCopyPolicy": "none"}
TARGET = "mirror.example.com:5000"


@dataclass(frozen=True)
class Pair:
    """The certificate and key in use, and the authority that issues new ones."""

    authority: Authority
    cert: Path
    key: Path


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return _pair(tmp_path)


@pytest.fixture
def webhook(pair: Pair, database_template: DatabaseTemplate, tmp_path: Path) -> Iterator[Webhook]:
    """A webhook for a single test that overloads it or changes its certificate."""
    with _running(pair, tmp_path, database_template) as running:
        yield running


@pytest.fixture(scope="module")
def shared(database_template: DatabaseTemplate, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Webhook]:
    """A webhook that all tests of a module share."""
    directory = tmp_path_factory.mktemp("shared")
    with _running(_pair(directory), directory, database_template) as running:
        yield running


def _pair(directory: Path) -> Pair:
    made = Pair(Authority(directory), directory / "tls.crt", directory / "tls.key")
    made.authority.issue(made.cert, made.key)
    return made


def _running(pair: Pair, directory: Path, template: DatabaseTemplate) -> AbstractContextManager[Webhook]:
    extra = {"SWAPPER_TLS_CERT_FILE": str(pair.cert), "SWAPPER_TLS_KEY_FILE": str(pair.key)}
    return running_webhook(directory, template, target=TARGET, extra=extra, **ALWAYS)
