"""ECR registries as sources: any account and region, with each of their host names, and with a role if configured."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mirrors.images import ImageRef
from mirrors.registries.sources import SourceCatalog, source_entries
from mirrors.vocabulary.clusters import ClusterNamespace
from swapper_project import config as configuration
from tests.support.aws import ACCOUNT, Aws
from tests.support.registries import PASSWORD

OTHER = "999999999999"
TARGET = {"type": "oci", "oci": {"endpoint": "mirror.example.com"}}


def catalog(directory: Path, *entries: dict[str, Any]) -> SourceCatalog:
    text = json.dumps({"target": TARGET, "source": {"registries": entries}})
    return SourceCatalog(source_entries(configuration.parse(text)), credentials_dir=directory)


def ecr(account: str, region: str, **keys: str) -> dict[str, Any]:
    return {"type": "aws", "aws": {"accountId": account, "region": region, **keys}}


@pytest.mark.parametrize(
    "host",
    [
        f"{OTHER}.dkr.ecr.us-east-1.amazonaws.com",
        f"{OTHER}.dkr-ecr.us-east-1.on.aws",
        f"{OTHER}.dkr.ecr-fips.us-east-1.amazonaws.com",
    ],
)
def test_each_host_name_of_a_configured_account_has_credentials(host: str, aws: Aws, tmp_path: Path) -> None:
    sources = catalog(tmp_path, ecr(ACCOUNT, "eu-central-1"), ecr(OTHER, "us-east-1"))
    ref = ImageRef.parse(f"{host}/team/app:1")
    found = sources.access_for(ref)
    assert found.host == host and found.private_allowed
    source: Any = found.credentials[0]
    assert source.issue(timeout=10).credential.password == PASSWORD
    assert sources.serves(ref, ClusterNamespace("default", "any-namespace")), "as with the earlier tool"
    assert sources.anonymous_access_for(ref).credentials == ()


def test_another_account_is_accessed_with_its_configured_role(aws: Aws, tmp_path: Path) -> None:
    sources = catalog(tmp_path, ecr(OTHER, "us-east-1", role=f"arn:aws:iam::{OTHER}:role/reader"))
    source: Any = sources.access_for(ImageRef.parse(f"{OTHER}.dkr.ecr.us-east-1.amazonaws.com/app")).credentials[0]
    with aws.recording() as calls:
        source.issue(timeout=10)
    assert calls == {"sts:AssumeRole": 1, "ecr:GetAuthorizationToken": 1}


def test_an_account_or_region_that_is_not_configured_has_no_credentials(aws: Aws, tmp_path: Path) -> None:
    sources = catalog(tmp_path, ecr(ACCOUNT, "eu-central-1"))
    for host in (f"{OTHER}.dkr.ecr.eu-central-1.amazonaws.com", f"{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com"):
        assert sources.access_for(ImageRef.parse(f"{host}/app")).credentials == ()
        assert not sources.serves(ImageRef.parse(f"{host}/app"), ClusterNamespace("default", "web"))


def test_artifact_registry_credentials_apply_only_below_their_repository(tmp_path: Path) -> None:
    gcp = {"location": "europe-west3", "projectId": "project-a", "repositoryId": "main"}
    sources = catalog(tmp_path, {"type": "gcp", "gcp": gcp}, {"type": "gcp", "gcp": {**gcp, "projectId": "project-b"}})
    host = "europe-west3-docker.pkg.dev"
    for inside in ("project-a/main/app", "project-b/main/team/app"):
        ref = ImageRef.parse(f"{host}/{inside}:1")
        assert sources.access_for(ref).credentials and sources.serves(ref, ClusterNamespace("default", "web"))
    for outside in ("project-a/main2/app", "project-c/main/app"):
        ref = ImageRef.parse(f"{host}/{outside}:1")
        assert sources.access_for(ref).credentials == () and not sources.serves(ref, ClusterNamespace("default", "web"))
