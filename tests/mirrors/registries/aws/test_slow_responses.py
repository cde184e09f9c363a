"""A slow response of AWS delays only the repository that it is for."""

from __future__ import annotations

import threading

import pytest

from tests.mirrors.registries.aws.conftest import MakeDriver
from tests.support.aws import Aws
from tests.support.ports import wait_until

RULES = "ecr:DescribePullThroughCacheRules"


@pytest.mark.parametrize("is_known", [True, False], ids=["rules-known", "rules-not-known-yet"])
def test_a_call_that_hangs_does_not_delay_other_repositories(
    make_driver: MakeDriver, aws: Aws, monkeypatch: pytest.MonkeyPatch, is_known: bool
) -> None:
    monkeypatch.setattr("mirrors.registries.aws.driver.RULES_EVERY", 0.0)
    driver = make_driver()
    if is_known:
        driver.ensure_repository("first")
    before = aws.calls().get(RULES, 0)
    with aws.holding(RULES):
        slow = threading.Thread(target=driver.ensure_repository, args=("slow",))
        slow.start()
        wait_until(lambda: aws.calls().get(RULES, 0) > before, what="the call that hangs")
        assert driver.ensure_repository("other").is_new
        assert slow.is_alive()
    slow.join(30)
    assert not slow.is_alive()
