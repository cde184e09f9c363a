"""The IAM policies in docs/aws.md contain exactly the permissions that the requests of botocore need."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mirrors.registries.aws.driver import EcrDriver
from tests.docs.markdown import code, rows
from tests.mirrors.registries.aws.conftest import MakeDriver
from tests.mirrors.registries.aws.test_repositories import LIFECYCLE, NAME, POLICY
from tests.support.aws import Aws
from tests.support.databases import ROOT

AWS_PAGE = ROOT / "docs/aws.md"
DATA_PLANE = {
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:UploadLayerPart",
    "ecr:CompleteLayerUpload",
    "ecr:PutImage",
}
"""Permissions for pushing and pulling with the registry's own API, for which botocore is not used."""

OPTIONAL = "ecr:DescribePullThroughCacheRules"


def minimal() -> set[str]:
    text = AWS_PAGE.read_text().partition("## Permissions")[2].partition("```json")[2].partition("```")[0]
    statements = json.loads(text)["Statement"]
    assert [s["Resource"] for s in statements] == ["*", "arn:aws:ecr:*:123456789012:repository/*"]
    return {action for s in statements for action in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])}


FEATURES = {cells[0]: set(code(cells[1])) for cells in rows(AWS_PAGE, "When", "Actions")}


def of_feature(start: str) -> set[str]:
    (found,) = [actions for name, actions in FEATURES.items() if name.startswith(start)]
    return {action for action in found if action.startswith("ecr:")}


def sent(aws: Aws, *drivers: EcrDriver) -> set[str]:
    """Return the actions of the drivers, of which the first one creates a repository, and the others find it."""
    with aws.recording() as calls:
        for driver in drivers:
            driver.ensure_repository(NAME)
            driver.access().credentials[0].issue(timeout=10)  # type: ignore[union-attr]
    return set(calls) - {OPTIONAL}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirrors.registries.aws.driver.JUST_MADE", 0.0)


def test_the_minimal_policy_has_exactly_the_required_permissions(aws: Aws, make_driver: MakeDriver) -> None:
    assert minimal() == sent(aws, make_driver()) | DATA_PLANE


@pytest.mark.parametrize(
    ("feature", "keys"),
    [
        ("`accessPolicy`", {"accessPolicy": POLICY}),
        ("`lifecyclePolicy`", {"lifecyclePolicy": LIFECYCLE}),
        ("`ecrOptions.tags`", {"ecrOptions": {"tags": [{"key": "team", "value": "web"}]}}),
    ],
)
def test_each_feature_needs_exactly_the_documented_permissions(
    feature: str, keys: dict[str, Any], aws: Aws, make_driver: MakeDriver
) -> None:
    beyond = sent(aws, make_driver(**keys), make_driver(**keys)) - minimal()
    # CreateRepository sets the tags, for which IAM also requires TagResource.
    asked_by_iam = {"ecr:TagResource"} if "tags" in feature else set()
    assert beyond | asked_by_iam == of_feature(feature)


def test_applying_settings_needs_exactly_the_documented_permissions(aws: Aws, make_driver: MakeDriver) -> None:
    other = {"imageTagMutability": "IMMUTABLE", "imageScanningConfiguration": {"imageScanOnPush": False}}
    make_driver(ecrOptions=other).ensure_repository(NAME)
    assert sent(aws, make_driver(reconcile="apply")) - minimal() == of_feature("`reconcile: apply`")


def test_the_policy_of_the_earlier_tool_includes_the_minimal_policy() -> None:
    """The policy that users of the earlier tool have already attached."""
    guide = DATA_PLANE | {
        "ecr:GetAuthorizationToken",
        "ecr:DescribeRepositories",
        "ecr:DescribeRegistry",
        "ecr:TagResource",
        "ecr:ListImages",
        "ecr:CreateRepository",
    }
    assert minimal() <= guide
