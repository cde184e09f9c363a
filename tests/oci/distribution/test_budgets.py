"""The requests that a process can send: none without a share, its granted share, and its last share while no shares are
granted."""

from __future__ import annotations

import time

from mirrors.oci.distribution.budgets import Demand, HostRequestLimits, RequestBudgets

HOST = "registry.example.com"
HEADS = (HOST, "head")


def budgets(**limits: float) -> RequestBudgets:
    return RequestBudgets(lambda host: HostRequestLimits(host, limits) if host == HOST else None)


def sent_in(seconds: float, mine: RequestBudgets) -> int:
    """Return how many requests pass within the time if they are attempted continuously."""
    end, count = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        count += mine.try_spend(HOST, ("head", "request")) == 0
        time.sleep(0.001)
    return count


def test_requests_to_a_host_without_a_limit_are_not_delayed() -> None:
    mine = budgets(head=1)
    assert [mine.try_spend("other.example.com", ("head", "request")) for _ in range(100)] == [0.0] * 100
    assert mine.demands() == {}


def test_no_requests_are_sent_before_a_share_is_granted() -> None:
    mine = budgets(head=40)
    assert sent_in(0.05, mine) == 0
    assert mine.demands() == {HEADS: Demand(40, wanted=40)}
    mine.grant({HEADS: 20.0})
    assert 5 <= sent_in(0.5, mine) <= 13


def test_without_a_database_the_last_share_or_a_tenth_of_the_limit_applies() -> None:
    mine = budgets(head=400)
    assert mine.try_spend(HOST, ("head",)) > 0
    mine.continue_without_grants()
    assert 8 <= sent_in(0.5, mine) <= 25
    mine.grant({HEADS: 20.0})
    mine.continue_without_grants()
    assert sent_in(0.5, mine) <= 13


def test_the_strictest_of_several_budgets_applies() -> None:
    mine = budgets(head=1_000, request=20)
    mine.try_spend(HOST, ("head", "request"))
    mine.grant({HEADS: 1_000.0, (HOST, "request"): 20.0})
    assert sent_in(0.5, mine) <= 13


def test_transfers_occupy_their_budget_until_they_end() -> None:
    mine = budgets(transfer=2)
    mine.try_spend(HOST, ("transfer",))
    mine.grant({(HOST, "transfer"): 2.0})
    assert [mine.try_spend(HOST, ("transfer",)) == 0 for _ in range(3)] == [True, True, False]
    assert mine.demands()[HOST, "transfer"].minimum == 2
    mine.end_transfer(HOST)
    assert mine.try_spend(HOST, ("transfer",)) == 0
