"""Refusals of AWS are reported with the permission, the ARN, and what to do next."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mirrors.oci import RegistryError
from mirrors.registries.aws.accounts import AwsAccount, client
from mirrors.registries.aws.driver import EcrDriver, account_of
from mirrors.registries.aws.login import fetch
from tests.mirrors.registries.aws.conftest import MakeDriver, target_of
from tests.mirrors.registries.aws.test_repositories import LIFECYCLE, NAME, POLICY
from tests.support.aws import ACCOUNT, HOST, REGION, Aws
from tests.support.ports import free_port, wait_until

ROLE = f"arn:aws:iam::{ACCOUNT}:role/mirror"
ARN = f"arn:aws:ecr:{REGION}:{ACCOUNT}:repository/{NAME}"
CALLER = f"arn:aws:sts::{ACCOUNT}:assumed-role/swapper/k8s-image-swapper"


def refusal(act: Callable[[], object]) -> RegistryError:
    with pytest.raises(RegistryError) as caught:
        act()
    assert caught.value.host == HOST
    return caught.value


def issue(driver: EcrDriver) -> str:
    source: Any = driver.access().credentials[0]
    credential = source.issue(timeout=20).credential
    assert credential is not None
    return str(credential.password)


@pytest.mark.parametrize(
    ("action", "keys"),
    [
        ("ecr:DescribeRepositories", {}),
        ("ecr:CreateRepository", {}),
        ("ecr:SetRepositoryPolicy", {"accessPolicy": POLICY}),
        ("ecr:PutLifecyclePolicy", {"lifecyclePolicy": LIFECYCLE}),
    ],
)
def test_each_denied_call_is_reported_with_its_permission_and_arn(
    action: str, keys: dict[str, Any], make_driver: MakeDriver, aws: Aws
) -> None:
    aws.fail(action)
    error = refusal(lambda: make_driver(**keys).ensure_repository(NAME))
    assert (error.code, error.permanent) == ("denied", True)
    for part in (action, ARN, CALLER, "docs/aws.md"):
        assert part in str(error)


@pytest.mark.parametrize(
    "action", ["ecr:PutImageTagMutability", "ecr:PutImageScanningConfiguration", "ecr:TagResource"]
)
def test_each_denied_change_of_a_setting_is_reported_with_its_permission(
    action: str, make_driver: MakeDriver, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mirrors.registries.aws.driver.JUST_MADE", 0.0)
    options = {"imageTagMutability": "IMMUTABLE", "imageScanningConfiguration": {"imageScanOnPush": False}}
    make_driver(ecrOptions=options).ensure_repository(NAME)
    wanting = make_driver(ecrOptions={"tags": [{"key": "team", "value": "web"}]}, reconcile="apply")
    aws.fail(action)
    assert action in str(refusal(lambda: wanting.ensure_repository(NAME)))


def test_a_denied_sign_in_is_reported_with_its_permission(make_driver: MakeDriver, aws: Aws) -> None:
    aws.fail("ecr:GetAuthorizationToken")
    error = refusal(lambda: issue(make_driver()))
    assert "ecr:GetAuthorizationToken on *" in str(error) and CALLER in str(error)


def test_an_explicit_deny_is_reported(make_driver: MakeDriver, aws: Aws) -> None:
    aws.fail(
        "ecr:CreateRepository", message="User: x is not authorized, with an explicit deny in a service control policy"
    )
    assert "an explicit deny" in str(refusal(lambda: make_driver().ensure_repository(NAME)))


def test_a_denied_role_assumption_is_reported_with_role_and_caller(make_driver: MakeDriver, aws: Aws) -> None:
    aws.fail("sts:AssumeRole", "AccessDenied", status=403)
    error = refusal(lambda: make_driver(role=ROLE).ensure_repository(NAME))
    assert (error.code, error.permanent) == ("credential", False)
    for part in ("sts:AssumeRole", ROLE, "trust policy", CALLER):
        assert part in str(error)


def test_a_role_is_assumed_once_and_its_session_is_reused(make_driver: MakeDriver, aws: Aws) -> None:
    with aws.recording() as calls:
        driver = make_driver(role=ROLE)
        driver.ensure_repository(NAME)
        driver.ensure_repository("quay.io/app")
        issue(driver)
    assert calls["sts:AssumeRole"] == 1


def test_sign_in_succeeds_after_sts_was_unavailable_at_the_start(make_driver: MakeDriver, aws: Aws) -> None:
    driver = make_driver(role=ROLE)
    aws.fail("sts:AssumeRole", "ServiceUnavailable", status=503)
    error = refusal(lambda: issue(driver))
    assert not error.permanent
    aws.heal()

    def is_in() -> bool:
        try:
            return bool(issue(driver))
        except RegistryError:
            return False

    wait_until(is_in, what="a token once STS is back")


@pytest.mark.parametrize(
    ("code", "message", "advice"),
    [
        ("InvalidSignatureException", "Signature expired: 20260101T000000Z is now earlier than", "the clock"),
        ("InvalidSignatureException", "Signature not yet current", "the clock"),
        ("SignatureDoesNotMatch", "The request signature we calculated does not match", "aws_secret_access_key"),
        ("UnrecognizedClientException", "The security token included in the request is invalid", "aws_access_key_id"),
        ("ExpiredTokenException", "The security token included in the request is expired", "session token has expired"),
        ("OptInRequired", "", "opted in"),
    ],
)
def test_a_rejected_sign_in_is_reported_with_its_cause(
    code: str, message: str, advice: str, make_driver: MakeDriver, aws: Aws
) -> None:
    aws.fail("ecr:GetAuthorizationToken", code, message)
    error = refusal(lambda: issue(make_driver()))
    assert error.code == "credential" and not error.permanent and advice in str(error)


def test_a_kms_error_is_reported_with_the_key(make_driver: MakeDriver, aws: Aws) -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1"
    aws.fail("ecr:CreateRepository", "KmsException", "the key is disabled")
    options = {"encryptionConfiguration": {"encryptionType": "KMS", "kmsKey": key}}
    error = refusal(lambda: make_driver(ecrOptions=options).ensure_repository(NAME))
    for part in (key, "the key is disabled", "kms:CreateGrant", REGION):
        assert part in str(error)


def test_throttled_calls_are_retried_and_then_postponed(make_driver: MakeDriver, aws: Aws) -> None:
    aws.fail("ecr:DescribeRepositories", "ThrottlingException", "Rate exceeded", times=2)
    assert make_driver().ensure_repository(NAME).is_new
    aws.fail("ecr:DescribeRepositories", "ThrottlingException", "Rate exceeded")
    error = refusal(lambda: make_driver().ensure_repository("quay.io/app"))
    assert (error.code, error.permanent, error.retry_after) == ("rate-limited", False, 30.0)


def test_missing_credentials_are_reported_with_the_ways_to_configure_them(
    make_driver: MakeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    client.cache_clear()
    for keys in ({}, {"role": ROLE}):
        error = refusal(lambda keys=keys: make_driver(**keys).ensure_repository(NAME))  # type: ignore[misc]
        assert error.code == "credential" and "IRSA" in str(error) and "AWS_ACCESS_KEY_ID" in str(error)


def test_credentials_that_appear_late_or_change_are_read_again(
    make_driver: MakeDriver, aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shared file appears after the start. Later its keys are replaced."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    shared = tmp_path / "credentials"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(shared))
    driver = make_driver()
    assert refusal(lambda: driver.ensure_repository(NAME)).code == "credential"
    shared.write_text("[default]\naws_access_key_id = OLD\naws_secret_access_key = old\n")
    assert driver.ensure_repository(NAME).is_new

    shared.write_text("[default]\naws_access_key_id = NEW\naws_secret_access_key = new\n")
    aws.fail("ecr:DescribeRepositories", "UnrecognizedClientException", "invalid token", times=1)
    assert refusal(lambda: driver.ensure_repository("quay.io/app")).code == "credential"
    driver.ensure_repository("quay.io/app")
    used = client(account_of(target_of(), None))._request_signer._credentials  # type: ignore[attr-defined]
    assert used.access_key == "NEW"


def test_a_region_that_does_not_respond_is_reported_by_name(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    error = refusal(lambda: fetch(AwsAccount("eu-wrong-9"), HOST))
    assert (error.code, error.permanent) == ("unavailable", False)
    assert "eu-wrong-9" in str(error) and "region" in str(error)


def test_a_sign_in_error_does_not_contain_the_secret_key(make_driver: MakeDriver, aws: Aws) -> None:
    aws.fail("ecr:GetAuthorizationToken", "UnrecognizedClientException", "bad token")
    assert aws.environment["AWS_SECRET_ACCESS_KEY"] not in str(refusal(lambda: issue(make_driver())))
