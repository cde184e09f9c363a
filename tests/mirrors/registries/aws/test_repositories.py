"""ECR repositories: created once, configured as requested, compared, and changed only if that is configured."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import boto3
import pytest
from types_boto3_ecr.client import ECRClient

from mirrors.oci import RegistryError
from mirrors.registries.aws import repository_settings
from tests.mirrors.registries.aws.conftest import MakeDriver, target_of
from tests.support.aws import ACCOUNT, HOST, REGION, Aws
from tests.support.databases import ROOT

NAME = "docker.io/library/nginx"
PULL = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["ecr:BatchGetImage"]}
POLICY = json.dumps({"Version": "2008-10-17", "Statement": [{"Sid": "Pull", **PULL}]})
LIFECYCLE = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {
                    "tagStatus": "untagged",
                    "countType": "sinceImagePushed",
                    "countUnit": "days",
                    "countNumber": 30,
                },
                "action": {"type": "expire"},
            }
        ]
    }
)


@pytest.fixture
def ecr(aws: Aws) -> ECRClient:
    """A separate client for the tests."""
    return boto3.client("ecr", region_name=REGION)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Repositories count as set up immediately after their creation."""
    monkeypatch.setattr("mirrors.registries.aws.driver.JUST_MADE", 0.0)


def described(ecr: ECRClient) -> Any:
    return ecr.describe_repositories(repositoryNames=[NAME])["repositories"][0]


def test_a_repository_is_created_with_all_configured_settings(make_driver: MakeDriver, ecr: ECRClient) -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/11111111-2222-3333-4444-555555555555"
    driver = make_driver(
        accessPolicy=POLICY,
        lifecyclePolicy=LIFECYCLE,
        ecrOptions={
            "tags": [{"key": "team", "value": "platform"}],
            "imageTagMutability": "IMMUTABLE",
            "imageScanningConfiguration": {"imageScanOnPush": False},
            "encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": key},
        },
    )
    assert driver.ensure_repository(NAME).is_new
    made = described(ecr)
    assert made["imageTagMutability"] == "IMMUTABLE"
    assert made["imageScanningConfiguration"] == {"scanOnPush": False}
    assert made["encryptionConfiguration"] == {"encryptionType": "KMS", "kmsKey": key}
    tags = ecr.list_tags_for_resource(resourceArn=made["repositoryArn"])["tags"]
    assert tags == [{"Key": "team", "Value": "platform"}]
    assert json.loads(ecr.get_repository_policy(repositoryName=NAME)["policyText"]) == json.loads(POLICY)
    found = ecr.get_lifecycle_policy(repositoryName=NAME)["lifecyclePolicyText"]
    assert json.loads(found) == json.loads(LIFECYCLE)


def test_default_settings_need_only_describe_create_and_token_permissions(make_driver: MakeDriver, aws: Aws) -> None:
    """Rules of pull-through caches are requested, but the permission is not needed."""
    with aws.recording() as calls:
        driver = make_driver()
        aws.fail("ecr:DescribePullThroughCacheRules")
        assert driver.ensure_repository(NAME).is_new
        assert driver.ensure_repository("quay.io/app").is_new
        driver.access().credentials[0].issue(timeout=10)  # type: ignore[union-attr]
    assert calls == {
        "ecr:DescribePullThroughCacheRules": 1,
        "ecr:DescribeRepositories": 2,
        "ecr:CreateRepository": 2,
        "ecr:GetAuthorizationToken": 1,
    }


def test_a_repository_is_described_again_only_after_it_is_forgotten(make_driver: MakeDriver, aws: Aws) -> None:
    driver = make_driver()
    driver.ensure_repository(NAME)
    with aws.recording() as calls:
        for _ in range(3):
            assert not driver.ensure_repository(NAME).is_new
    assert calls == {}
    driver.forget(NAME)
    with aws.recording() as calls:
        driver.ensure_repository(NAME)
    assert calls == {"ecr:DescribeRepositories": 1}


def test_eight_concurrent_processes_create_a_repository_once(aws: Aws) -> None:
    """Each process is independent, and all start at the same moment."""
    script = (
        "import sys; from mirrors.registries.aws.driver import EcrDriver;"
        "from tests.mirrors.registries.aws.conftest import target_of;"
        "driver = EcrDriver(target_of(), trusted_ca=None); print('ready', flush=True); sys.stdin.readline();"
        f"print(driver.ensure_repository({NAME!r}).is_new)"
    )
    start: dict[str, Any] = {"cwd": ROOT, "text": True, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    processes = [subprocess.Popen([sys.executable, "-c", script], **start) for _ in range(8)]
    assert [process.stdout.readline() for process in processes if process.stdout] == ["ready\n"] * 8
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    responses = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert sorted(responses) == ["False"] * 7 + ["True"]


def test_an_existing_repository_is_unchanged_and_differences_are_reported(
    make_driver: MakeDriver, ecr: ECRClient, aws: Aws
) -> None:
    ecr.create_repository(repositoryName=NAME, imageTagMutability="IMMUTABLE")
    other = {"Version": "2008-10-17", "Statement": [{"Sid": "Other", **PULL}]}
    ecr.set_repository_policy(repositoryName=NAME, policyText=json.dumps(other))
    options = {"tags": [{"key": "team", "value": "platform"}]}
    driver = make_driver(accessPolicy=POLICY, lifecyclePolicy=LIFECYCLE, ecrOptions=options)
    with aws.recording() as calls:
        state = driver.ensure_repository(NAME)
    assert state.differences is not None and not state.is_new
    assert {d.setting for d in state.differences} == {
        "imageTagMutability",
        "imageScanOnPush",
        "accessPolicy",
        "lifecyclePolicy",
        "tags",
    }
    mutability = next(d for d in state.differences if d.setting == "imageTagMutability")
    assert (mutability.wanted, mutability.found) == ("MUTABLE", "IMMUTABLE")
    assert not [action for action in calls if action.startswith(("ecr:Put", "ecr:Set", "ecr:Tag", "ecr:Create"))]
    assert described(ecr)["imageTagMutability"] == "IMMUTABLE"


def test_differences_are_applied_if_configured_or_requested(make_driver: MakeDriver, ecr: ECRClient) -> None:
    options = {"tags": [{"key": "team", "value": "platform"}]}
    keys = {"accessPolicy": POLICY, "lifecyclePolicy": LIFECYCLE, "ecrOptions": options}
    ecr.create_repository(repositoryName=NAME, imageTagMutability="IMMUTABLE", tags=[{"Key": "own", "Value": "1"}])
    assert make_driver(**keys, reconcile="apply").ensure_repository(NAME).differences == ()
    found = described(ecr)
    assert found["imageTagMutability"] == "MUTABLE" and found["imageScanningConfiguration"]["scanOnPush"]
    assert json.loads(ecr.get_repository_policy(repositoryName=NAME)["policyText"]) == json.loads(POLICY)
    tags = ecr.list_tags_for_resource(resourceArn=found["repositoryArn"])["tags"]
    assert {tag["Key"] for tag in tags} == {"own", "team"}

    ecr.put_image_tag_mutability(repositoryName=NAME, imageTagMutability="IMMUTABLE")
    reporting = make_driver(**keys)
    assert [d.setting for d in reporting.ensure_repository(NAME).differences or ()] == ["imageTagMutability"]
    assert reporting.apply_settings(NAME).differences == ()
    assert described(ecr)["imageTagMutability"] == "MUTABLE"


def test_nothing_is_compared_if_reconcile_is_none(make_driver: MakeDriver, ecr: ECRClient) -> None:
    ecr.create_repository(repositoryName=NAME, imageTagMutability="IMMUTABLE")
    assert make_driver(reconcile="none", accessPolicy=POLICY).ensure_repository(NAME).differences is None


def test_different_encryption_is_reported_and_not_applied(make_driver: MakeDriver, ecr: ECRClient) -> None:
    ecr.create_repository(repositoryName=NAME, imageScanningConfiguration={"scanOnPush": True})
    options = {"encryptionConfiguration": {"encryptionType": "KMS"}}
    (difference,) = make_driver(ecrOptions=options, reconcile="apply").ensure_repository(NAME).differences or ()
    assert (difference.setting, difference.wanted, difference.found) == ("encryptionConfiguration", "KMS", "AES256")
    assert "create it again" in difference.problem


def test_equivalent_policies_are_not_reported_as_different(make_driver: MakeDriver, ecr: ECRClient) -> None:
    ecr.create_repository(repositoryName=NAME, imageScanningConfiguration={"scanOnPush": True})
    same = {"Statement": {**PULL, "Sid": "Pull", "Action": "ecr:BatchGetImage"}, "Version": "2008-10-17"}
    ecr.set_repository_policy(repositoryName=NAME, policyText=json.dumps(same, indent=4))
    assert make_driver(accessPolicy=POLICY).ensure_repository(NAME).differences == ()


def test_a_policy_that_cannot_be_read_is_reported_as_a_difference(
    make_driver: MakeDriver, ecr: ECRClient, aws: Aws
) -> None:
    ecr.create_repository(repositoryName=NAME, imageScanningConfiguration={"scanOnPush": True})
    aws.fail("ecr:GetRepositoryPolicy")
    (difference,) = make_driver(accessPolicy=POLICY).ensure_repository(NAME).differences or ()
    assert (difference.setting, difference.found) == ("accessPolicy", "can't be read")
    assert "ecr:GetRepositoryPolicy" in difference.problem


def test_a_missing_repository_is_an_error_if_creation_is_disabled(make_driver: MakeDriver, aws: Aws) -> None:
    with aws.recording() as calls, pytest.raises(RegistryError) as caught:
        make_driver(createRepository=False).ensure_repository(NAME)
    assert caught.value.code == "not-found" and caught.value.permanent
    for part in (NAME, HOST, "ecr:CreateRepository", f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{NAME}"):
        assert part in str(caught.value)
    assert "ecr:CreateRepository" not in calls


def test_setup_fails_each_time_until_the_policy_can_be_set(make_driver: MakeDriver, ecr: ECRClient, aws: Aws) -> None:
    """Without the policy, nodes of other accounts could not pull the copied images."""
    driver = make_driver(accessPolicy=POLICY)
    aws.fail("ecr:SetRepositoryPolicy")
    for _ in range(2):
        with pytest.raises(RegistryError, match="AWS refused ecr:SetRepositoryPolicy"):
            driver.ensure_repository(NAME)
    aws.heal()
    driver.ensure_repository(NAME)
    assert json.loads(ecr.get_repository_policy(repositoryName=NAME)["policyText"]) == json.loads(POLICY)


def test_a_repository_is_not_ready_for_other_workers_until_its_policy_is_set(
    make_driver: MakeDriver, ecr: ECRClient, aws: Aws
) -> None:
    aws.fail("ecr:SetRepositoryPolicy")
    for driver in (make_driver(accessPolicy=POLICY), make_driver(accessPolicy=POLICY)):
        with pytest.raises(RegistryError, match="AWS refused ecr:SetRepositoryPolicy"):
            driver.ensure_repository(NAME)
    aws.heal()
    assert make_driver(accessPolicy=POLICY).ensure_repository(NAME).differences == ()
    assert json.loads(ecr.get_repository_policy(repositoryName=NAME)["policyText"]) == json.loads(POLICY)


def test_an_account_equals_its_root_user_in_policies() -> None:
    """AWS stores the root user's ARN if the policy contained the account number."""
    given = json.dumps({"Statement": [{**PULL, "Principal": {"AWS": [ACCOUNT, "999999999999"]}}]})
    kept = given.replace("999999999999", "arn:aws:iam::999999999999:root")
    found = repository_settings.CurrentSettings("MUTABLE", True, "AES256", access_policy=kept)
    assert repository_settings.differences(target_of(accessPolicy=given), found) == ()


@pytest.mark.parametrize(("rules", "is_cache"), [(["docker.io"], True), (["docker"], False), (["ROOT"], True)])
def test_repositories_below_a_pull_through_rule_are_not_created(
    rules: list[str], is_cache: bool, make_driver: MakeDriver, aws: Aws
) -> None:
    aws.steer("rules", rules)
    with aws.recording() as calls:
        state = make_driver().ensure_repository(NAME)
    assert state.pulls_through is is_cache
    assert ("ecr:CreateRepository" in calls) is not is_cache
