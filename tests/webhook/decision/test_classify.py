"""Decisions that depend only on the image and the configuration: one line per rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mirrors.filters import ReviewBudget, compile_filter
from mirrors.images import TargetName
from mirrors.kubernetes.objects.pods import ImageSlot
from mirrors.vocabulary.reasons import BEFORE_FILTERS, Reason
from webhook.decision.decision import Decision, ReviewPolicy, classify, is_open, pod_keep_reason

POLICY = ReviewPolicy(
    target=TargetName("mirror.example.com", "cache"),
    filters=(
        compile_filter("kube-system", "obj.metadata.namespace == 'kube-system'"),
        compile_filter("debug", "contains(container.image, 'debug')"),
    ),
    allows_source=lambda host: host != "refused.example.com",
)
OUT_OF_STEPS = ReviewBudget(remaining=0)


def classified(
    image: str = "nginx:1.27",
    *,
    policy: ReviewPolicy = POLICY,
    kept: Reason | None = None,
    namespace: str = "shop",
    budget: ReviewBudget | None = None,
    **slot: Any,
) -> Decision:
    return classify(
        ImageSlot("/spec/containers/0/image", "app", image, container={"image": image}, **slot),
        policy=policy,
        pod={"metadata": {"namespace": namespace}},
        keep_reason=kept,
        budget=budget or ReviewBudget(),
        on_filter_error=lambda name, error: pytest.fail(f"{name}: {error}"),
    )


CASES: list[tuple[dict[str, Any], Reason, str]] = [
    ({}, Reason.UNKNOWN, ""),
    ({"changed": False}, Reason.UNCHANGED, ""),
    ({"image": "auto"}, Reason.PLACEHOLDER, ""),
    ({"image": "Not/An/Image"}, Reason.INVALID_REFERENCE, ""),
    ({"image": "mirror.example.com/cache/docker.io/library/nginx:1.27"}, Reason.ALREADY_AT_TARGET, ""),
    ({"image": "mirror.example.com/elsewhere/nginx:1.27"}, Reason.UNKNOWN, ""),
    ({"kept": Reason.OPTED_OUT}, Reason.OPTED_OUT, ""),
    ({"pull_policy": "Never"}, Reason.PULL_POLICY_NEVER, ""),
    ({"pull_policy": "Always"}, Reason.UNKNOWN, ""),
    ({"namespace": "kube-system"}, Reason.FILTERED, "kube-system"),
    ({"image": "debug:1"}, Reason.FILTERED, "debug"),
    ({"budget": OUT_OF_STEPS}, Reason.FILTER_BUDGET, ""),
    ({"image": "refused.example.com/app:1"}, Reason.SOURCE_NOT_ALLOWED, ""),
    # The first matching rule decides.
    ({"changed": False, "image": "Not/An/Image"}, Reason.UNCHANGED, ""),
    ({"kept": Reason.OPTED_OUT, "namespace": "kube-system"}, Reason.OPTED_OUT, ""),
    ({"namespace": "kube-system", "image": "refused.example.com/app:1"}, Reason.FILTERED, "kube-system"),
]
EXCLUDES_ALL = replace(POLICY, filters=(compile_filter("all", "`true`"),))


@pytest.mark.parametrize(("given", "reason", "matched"), CASES)
def test_classify(given: dict[str, Any], reason: Reason, matched: str) -> None:
    decision = classified(**given)

    assert (decision.reason, decision.filter, decision.swap) == (reason, matched, False)
    assert is_open(decision) == (reason is Reason.UNKNOWN)


@pytest.mark.parametrize(("given", "reason"), [(given, reason) for given, reason, _ in CASES])
def test_filters_do_not_override_reasons_that_precede_them(given: dict[str, Any], reason: Reason) -> None:
    decision = classified(**given, policy=EXCLUDES_ALL)

    is_before = reason in BEFORE_FILTERS or reason is Reason.FILTER_BUDGET
    assert decision.reason is (reason if is_before else Reason.FILTERED)


def test_an_open_decision_has_its_key_and_target() -> None:
    decision = classified("nginx:1.27")

    assert decision.key == "docker.io/library/nginx:1.27"
    assert str(decision.target) == "mirror.example.com/cache/docker.io/library/nginx:1.27"


SKIPPED = {"k8s-image-swapper/skip": "true"}


@pytest.mark.parametrize(
    ("metadata", "policy", "reason"),
    [
        ({}, {}, None),
        ({"annotations": SKIPPED}, {}, Reason.OPTED_OUT),
        ({"labels": SKIPPED}, {}, Reason.OPTED_OUT),
        ({"labels": {"k8s-image-swapper/skip": "yes"}}, {}, None),
        ({"annotations": SKIPPED}, {"respects_opt_out": False}, None),
        ({"annotations": {"kubernetes.io/config.mirror": "a"}}, {}, Reason.MIRROR_POD),
        ({"annotations": {"kubernetes.io/config.mirror": "a"}}, {"respects_opt_out": False}, Reason.MIRROR_POD),
        ({"labels": {"cnpg.io/cluster": "orders"}}, {}, Reason.KNOWN_OPERATOR),
        ({"labels": {"application": "spilo"}}, {}, Reason.KNOWN_OPERATOR),
        ({"labels": {"application": "shop"}}, {}, None),
        ({"labels": {"cnpg.io/cluster": "orders"}}, {"skips_known_operators": False}, None),
    ],
)
def test_untouchable(metadata: dict[str, Any], policy: dict[str, Any], reason: Reason | None) -> None:
    assert pod_keep_reason({"metadata": metadata}, replace(POLICY, **policy)) is reason
