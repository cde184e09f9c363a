"""Whole copies to ECR and Artifact Registry: the clouds' APIs, and real registries with their host names."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from mirrors.demo.images import sample_image
from mirrors.demo.registry import MemoryRegistry
from tests.support import aws as amazon
from tests.support import google
from tests.support.aws import Aws, ecr_registry, running_aws
from tests.support.databases import DatabaseTemplate, query
from tests.support.faulty_registry import FaultyRegistry
from tests.support.ports import wait_until
from tests.support.registries import PASSWORD, Registry
from tests.support.system import Process, Webhook, pod_of, run_manage

PULL = {"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}
POLICY = json.dumps({"Version": "2008-10-17", "Statement": [PULL]})


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    with running_aws(tmp_path_factory.mktemp("aws")) as running:
        yield running


@pytest.fixture(scope="module")
def ecr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with ecr_registry(tmp_path_factory.mktemp("ecr")) as registry:
        yield registry


@pytest.fixture
def source() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as registry:
        sample_image(layers=2, layer_bytes=20_000).load(registry.storage, "team/app", "1.0")
        yield registry


def write(directory: Path, target: Mapping[str, Any], source: MemoryRegistry, **keys: Any) -> Path:
    registries = [{"type": "oci", "host": source.host, "insecure": True}]
    document = {"dryRun": False, "target": dict(target), "source": {"registries": registries}, **keys}
    (directory / "config.yaml").write_text(yaml.safe_dump(document))
    return directory / "config.yaml"


@contextmanager
def installation(
    directory: Path, template: DatabaseTemplate, config: Path, environment: Mapping[str, str]
) -> Iterator[tuple[Webhook, Process]]:
    """Run a webhook, and create a worker without starting it."""
    with template.copy(directory) as url:
        webhook = Webhook(config, url, directory, environment)
        webhook.prepare()
        webhook.start()
        worker = webhook.worker()
        try:
            yield webhook, worker
        finally:
            if worker.popen is not None:
                worker.stop()
            webhook.stop()


def repository_of(source: MemoryRegistry) -> str:
    return f"{source.host.replace(':', '_')}/team/app"


def test_a_pod_is_swapped_to_ecr(
    aws: Aws, ecr: Registry, source: FaultyRegistry, database_template: DatabaseTemplate, tmp_path: Path
) -> None:
    """A repository is created and set up, an image is copied and a pod is swapped. The running webhook recognizes all
    host names of ECR."""
    aws.reset()
    config = write(tmp_path, amazon.target_keys(ecr, accessPolicy=POLICY), source)
    with (
        aws.recording() as calls,
        installation(tmp_path, database_template, config, aws.environment) as (webhook, worker),
    ):
        worker.start()
        image = f"{source.host}/team/app:1.0"
        wait_until(lambda: webhook.admit(pod_of(image)).images, timeout=60, what="a swap to ECR")
        swapped = webhook.admit(pod_of(image)).images["/spec/containers/0/image"]
        assert swapped == f"{amazon.HOST}/{repository_of(source)}:1.0"
        assert webhook.admit(pod_of(swapped)).patch == []
        other_name = swapped.replace(".dkr.ecr.", ".dkr-ecr.").replace("amazonaws.com", "on.aws")
        assert webhook.reasons(webhook.admit(pod_of(other_name))) == ["already-at-target"]
    assert calls["ecr:CreateRepository"] == 1 and calls["ecr:SetRepositoryPolicy"] == 1


def test_a_pod_is_swapped_after_sts_becomes_available(
    aws: Aws, ecr: Registry, source: FaultyRegistry, database_template: DatabaseTemplate, tmp_path: Path
) -> None:
    aws.reset()
    role = f"arn:aws:iam::{amazon.ACCOUNT}:role/mirror"
    config = write(tmp_path, amazon.target_keys(ecr, role=role), source)
    aws.fail("sts:AssumeRole", "ServiceUnavailable", status=503)
    with installation(tmp_path, database_template, config, aws.environment) as (webhook, worker):
        worker.start()
        image = f"{source.host}/team/app:1.0"
        # The webhook is ready and responds all the same, and it does not report the image as absent.
        assert webhook.reasons(webhook.admit(pod_of(image))) == ["unknown"]
        wait_until(lambda: _attempt_errors(webhook), timeout=60, what="an attempt whose error names STS")
        assert "AWS" in _attempt_errors(webhook)[0]
        aws.heal()
        wait_until(lambda: webhook.admit(pod_of(image)).images, timeout=90, what="a swap once STS is back")


def _attempt_errors(webhook: Webhook) -> list[str]:
    sql = "SELECT error FROM mirrors_mirrorattempt WHERE error_class IN ('credential', 'unavailable')"
    return [row[0] for row in query(webhook.database_url, sql)]


@pytest.mark.parametrize(
    ("action", "error_class"), [("ecr:CreateRepository", "denied"), ("ecr:DescribeRepositories", "denied")]
)
def test_a_denied_aws_call_is_reported_with_the_missing_permission(
    action: str,
    error_class: str,
    aws: Aws,
    ecr: Registry,
    source: FaultyRegistry,
    database_url: str,
    tmp_path: Path,
) -> None:
    aws.reset()
    aws.fail(action)
    config = write(tmp_path, amazon.target_keys(ecr), source)
    environment = Webhook(config, database_url, tmp_path, aws.environment).environment
    run_manage("prepare", environment=environment)
    result = run_manage("mirror", f"{source.host}/team/app:1.0", environment=environment, check=False)
    assert result.returncode != 0
    output = " ".join(result.stdout.split())
    assert action in output and "docs/aws.md" in output and repository_of(source) in output
    assert query(database_url, "SELECT error_class FROM mirrors_mirrorjob") == [(error_class,)]


def test_an_image_under_a_pull_through_cache_rule_is_not_copied(
    aws: Aws, ecr: Registry, source: FaultyRegistry, database_template: DatabaseTemplate, tmp_path: Path
) -> None:
    aws.reset()
    config = write(tmp_path, amazon.target_keys(ecr), source)
    with installation(tmp_path, database_template, config, aws.environment) as (webhook, worker):
        # Any client can pull content that the cache provides. In this test, the image was copied before.
        run_manage("mirror", f"{source.host}/team/app:1.0", environment=webhook.environment)
        query(webhook.database_url, "DELETE FROM mirrors_mirrorrequest")
        aws.steer("rules", [repository_of(source).partition("/")[0]])
        worker.start()
        tag = f"{source.host}/team/missing:1.0"
        sample_image(seed=3, layers=1, layer_bytes=100).load(source.storage, "team/missing", "1.0")
        with aws.recording() as calls:
            webhook.admit(pod_of(tag))
            sql = "SELECT error_message FROM mirrors_mirrorjob WHERE status = 'failed'"
            wait_until(lambda: query(webhook.database_url, sql), timeout=60, what="a cache that brings nothing")
        assert "pull-through cache" in query(webhook.database_url, sql)[0][0]
        assert "ecr:CreateRepository" not in calls
        assert source.count("GET .*/team/missing/blobs/") == 0

        log = run_manage("mirror", f"{source.host}/team/app:1.0", environment=webhook.environment)
        assert log.returncode == 0
        words = "SELECT log FROM mirrors_mirrorattempt WHERE outcome = 'succeeded' ORDER BY id DESC"
        assert "not copied: the target is a pull-through cache" in query(webhook.database_url, words)[0][0]


def test_repository_differences_are_shown_and_applied_on_request(
    aws: Aws, ecr: Registry, source: FaultyRegistry, database_template: DatabaseTemplate, tmp_path: Path
) -> None:
    aws.reset()
    config = write(tmp_path, amazon.target_keys(ecr), source)
    with installation(tmp_path, database_template, config, aws.environment) as (webhook, worker):
        image = f"{source.host}/team/app:1.0"
        run_manage("mirror", image, environment=webhook.environment)
        # The repository must not count as just created.
        options = {"imageTagMutability": "IMMUTABLE"}
        write(tmp_path, amazon.target_keys(ecr, accessPolicy=POLICY, ecrOptions=options), source)
        settings = {**webhook.environment, "DJANGO_SETTINGS_MODULE": "tests.jobs.at_once_settings"}
        run_manage("mirror", image, environment=settings)
        rows = "SELECT name, has_differences, differences FROM mirrors_targetrepository"
        (name, differs, differences) = query(webhook.database_url, rows)[0]
        assert name == repository_of(source) and differs
        assert "imageTagMutability" in str(differences)

        ask = "from mirrors.models import *; from mirrors.services import *; "
        ask += "request_settings(repository_ids=[r.pk for r in TargetRepository.objects.all()], requested_by='olga')"
        run_manage("shell", "-v0", "-c", ask, environment=webhook.environment)
        with aws.recording() as calls:
            worker.start()
            wait_until(lambda: not query(webhook.database_url, rows)[0][1], timeout=60, what="applied settings")
        assert calls["ecr:PutImageTagMutability"] == 1


def test_a_pod_is_swapped_to_artifact_registry(
    source: FaultyRegistry, database_template: DatabaseTemplate, tmp_path: Path
) -> None:
    (tmp_path / "registry").mkdir()
    (tmp_path / "api").mkdir()
    with (
        google.gar_registry(tmp_path / "registry") as registry,
        google.artifact_registry(tmp_path / "api") as api,
        google.token_server() as tokens,
    ):
        api.put()
        target = google.target_keys(registry, api)
        config = write(tmp_path, target, source, trustedCA=api.ca_file)
        with installation(tmp_path, database_template, config, tokens.environment) as (webhook, worker):
            worker.start()
            image = f"{source.host}/team/app:1.0"
            wait_until(lambda: webhook.admit(pod_of(image)).images, timeout=60, what="a swap to Artifact Registry")
            swapped = webhook.admit(pod_of(image)).images["/spec/containers/0/image"]
            assert swapped == f"{google.HOST}/{google.PROJECT}/main/{repository_of(source)}:1.0"
            # The prefix ends at a slash: another repository of the same project is a source like any other.
            other = f"{google.HOST}/{google.PROJECT}/main2/app:1"
            assert webhook.reasons(webhook.admit(pod_of(other))) != ["already-at-target"]
            assert PASSWORD not in webhook.log_text() + worker.log.read_text()


def test_a_private_mirror_image_is_denied_under_each_ecr_host_name(
    aws: Aws, ecr: Registry, source: FaultyRegistry, database_template: DatabaseTemplate, tmp_path: Path
) -> None:
    aws.reset()
    config = write(tmp_path, amazon.target_keys(ecr), source, privateImages="enforce")
    with installation(tmp_path, database_template, config, aws.environment) as (webhook, _):
        run_manage("mirror", f"{source.host}/team/app:1.0", environment=webhook.environment)
        query(webhook.database_url, "UPDATE mirrors_imagemapping SET access = 'secrets'")
        path = f"{repository_of(source)}:1.0"
        dual = amazon.HOST.replace(".dkr.ecr.", ".dkr-ecr.").replace("amazonaws.com", "on.aws")
        fips = amazon.HOST.replace("dkr.ecr", "dkr.ecr-fips")
        for host in (amazon.HOST, dual, fips, f"{amazon.HOST}:443"):
            assert not webhook.admit(pod_of(f"{host}/{path}"), namespace="stranger").allowed, host
