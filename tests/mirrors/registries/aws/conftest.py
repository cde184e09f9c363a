"""moto's server, started once for the session, and the driver that uses it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mirrors.registries import cloud_tokens
from mirrors.registries.aws.accounts import client
from mirrors.registries.aws.driver import EcrDriver
from mirrors.registries.aws.login import log_in
from swapper_project import config as configuration
from swapper_project.config import AwsTarget
from tests.support.aws import Aws, running_aws, target_keys

MakeDriver = Callable[..., EcrDriver]


@pytest.fixture(scope="session")
def aws_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with running_aws(tmp_path_factory.mktemp("aws")) as aws:
        yield aws


@pytest.fixture
def aws(aws_server: Aws, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    """An AWS without state, which botocore uses in this process."""
    aws_server.reset()
    for name, value in aws_server.environment.items():
        monkeypatch.setenv(name, value)
    client.cache_clear()
    log_in.cache_clear()
    yield aws_server
    # Otherwise token renewals would continue, with requests to the real AWS.
    cloud_tokens.close_all()


def target_of(**keys: Any) -> AwsTarget:
    """Return ``target.aws`` of a configuration with these keys."""
    config = configuration.parse(json.dumps({"target": target_keys(**keys)}))
    assert isinstance(config.target.chosen, AwsTarget)
    return config.target.chosen


@pytest.fixture
def make_driver(aws: Aws) -> MakeDriver:
    return lambda **keys: EcrDriver(target_of(**keys), trusted_ca=None)
