"""Budgets of hosts: all workers together stay within them, use them, and share them fairly."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection

from mirrors.images.cloud_hosts import ecr_hosts
from mirrors.jobs.limits import budget_shares
from mirrors.jobs.limits.budget_shares import fair_part, share_of
from mirrors.jobs.timing import from_now
from mirrors.models import BudgetShare, HostBudget
from mirrors.oci.distribution.budgets import Demand, operations
from mirrors.registries.request_limits import SHARE_OF_QUOTA, budget_finder
from swapper_project import config
from tests.config.examples import GCP
from tests.jobs.processes import race
from tests.jobs.support import config_file, load
from tests.support.faulty_registry import FaultyRegistry

PER_SECOND = 40
KEY = ("registry.example.com", "get")


def rate(times: list[float], start: float, end: float) -> float:
    """Return the requests per second between two times."""
    return sum(start <= at < end for at in times) / (end - start)


def test_all_workers_together_stay_within_a_budget_and_use_it(
    transactional_db: None, source: FaultyRegistry, target: FaultyRegistry, tmp_path: Path
) -> None:
    """Three processes. The third one ends earlier, and its share is given to the others."""
    load(source)
    limits = [{"host": source.host, "heads": PER_SECOND}]
    path = config_file(tmp_path, source, target, rateLimits=limits)
    sent = race("send", 3, source.host, "9", "9", "4", config=path, directory=tmp_path)

    times = sorted(at for each in sent for at in each)
    assert len(times) == source.count("HEAD .*")
    begin, end = times[0], min(each[-1] for each in sent[:2])
    # Each process can be a tenth of a second early after it was late, far from exceeding the quota, of which the budget
    # is 80 %.
    most = PER_SECOND / SHARE_OF_QUOTA
    assert max(rate(times, begin + n / 4, begin + n / 4 + 1) for n in range(int((end - begin) * 4))) <= most
    assert PER_SECOND * 0.8 <= rate(times, begin + 2.5, end) <= PER_SECOND * 1.02
    early = [rate(each, begin + 2.5, begin + 4) for each in sent]
    assert min(early) >= PER_SECOND / 3 * 0.7, f"one gets less than its part: {early}"
    assert not BudgetShare.objects.exists(), "processes that end give their shares back"
    assert HostBudget.objects.get(operation="head").per_second == PER_SECOND


@pytest.mark.parametrize(
    ("mine", "others", "part"),
    [
        (10, [], 10),
        (4, [], 4),
        (10, [10], 5),
        (10, [2], 8),
        (2, [10], 2),
        (10, [1, 10], 4.5),
        (10, [10, 10, 10], 2.5),
        (0, [10], 0),
    ],
)
def test_a_worker_below_its_equal_part_leaves_the_rest_to_others(mine: float, others: list[float], part: float) -> None:
    assert fair_part(10, mine, others) == part


@pytest.mark.parametrize(
    ("demand", "others", "share"),
    [
        (Demand(4, 4), [], 4),
        (Demand(4, 4), [(4, 4)], 0),
        (Demand(4, 4, minimum=3), [(4, 1)], 3),
        (Demand(5, 5), [(5, 2)], 3),
        (Demand(1, 1), [(1, 0)], 1),
    ],
)
def test_transfer_shares_are_whole_numbers_and_keep_running_transfers(
    demand: Demand, others: list[tuple[float, float]], share: float
) -> None:
    assert share_of(demand, others, whole=True) == share


@pytest.mark.django_db
def test_a_second_worker_gets_its_share_after_the_next_renewal() -> None:
    wish = {KEY: Demand(limit=10, wanted=10)}
    assert budget_shares.renew("first", wish) == {KEY: 10}
    assert budget_shares.renew("second", wish) == {KEY: 0}
    assert budget_shares.renew("first", wish) == {KEY: 5}
    assert budget_shares.renew("second", wish) == {KEY: 5}
    budget_shares.renew("second", {})
    assert budget_shares.renew("first", wish) == {KEY: 10}


@pytest.mark.django_db
def test_the_share_of_a_stopped_worker_expires() -> None:
    wish = {KEY: Demand(limit=10, wanted=10)}
    budget_shares.renew("first", wish)
    BudgetShare.objects.update(expires_at=from_now(-1))
    assert budget_shares.renew("second", wish) == {KEY: 10}


@pytest.mark.django_db
def test_a_renewal_executes_few_queries(django_assert_max_num_queries) -> None:  # type: ignore[no-untyped-def]
    wish = {(f"r{number}.example.com", "get"): Demand(10, 10) for number in range(5)}
    budget_shares.renew("first", wish)
    with django_assert_max_num_queries(7 if connection.vendor == "sqlite" else 8):
        budget_shares.renew("first", wish)


def limits_of(host: str, rate_limits: str = "[]") -> tuple[str, dict[str, float]] | None:
    loaded = config.parse(f"{GCP}\nrateLimits: {rate_limits}\n")
    budget = budget_finder(lambda: loaded)(host)
    return (budget.host, dict(budget.limits)) if budget else None


def test_a_budget_is_four_fifths_of_the_published_quota() -> None:
    hosts = ecr_hosts("123456789012", "eu-central-1")
    for host in hosts.values():
        found = limits_of(host)
        assert found is not None
        assert found[0] == hosts["standard"], "all names of an account's registry share its quota"
        assert {op: found[1][op] for op in ("put-manifest", "start-upload", "finish-upload")} == {
            "put-manifest": 8,
            "start-upload": 80,
            "finish-upload": 80,
        }
    assert limits_of("europe-docker.pkg.dev") == ("europe-docker.pkg.dev", {"request": 800, "write": 240})
    assert limits_of("registry.example.com") is None


def test_the_configuration_limits_hosts_and_overrides_quotas() -> None:
    given = "[{host: '*.example.com', gets: 5, transfers: 3}, {host: europe-docker.pkg.dev, writes: 7}]"
    assert limits_of("registry.example.com", given) == ("registry.example.com", {"get": 5, "transfer": 3})
    assert limits_of("europe-docker.pkg.dev", given) == ("europe-docker.pkg.dev", {"request": 800, "write": 7})
    assert limits_of("example.com", given) is None


@pytest.mark.parametrize(
    ("method", "path", "first"),
    [
        ("HEAD", "/v2/app/manifests/1.0", "head"),
        ("HEAD", "/v2/app/blobs/sha256:00", "head"),
        ("GET", "/v2/app/manifests/1.0", "get"),
        ("PUT", "/v2/app/manifests/1.0", "put-manifest"),
        ("POST", "/v2/app/blobs/uploads/", "start-upload"),
        ("PUT", "/v2/app/blobs/uploads/7?digest=sha256:00", "finish-upload"),
        ("DELETE", "/v2/app/blobs/uploads/7", "delete"),
    ],
)
def test_each_request_counts_in_the_budgets_of_its_operation(method: str, path: str, first: str) -> None:
    found = operations(method, path)
    assert found[0] == first
    assert ("write" in found) == (method in {"PUT", "POST", "DELETE"})
    assert "request" in found
