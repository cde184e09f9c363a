"""The pods that the API server sends to the webhook: label selectors with the rules of Kubernetes."""

from __future__ import annotations

from typing import Any

import pytest

from mirrors.kubernetes.api_server.webhook_scope import WebhookScope, keys_of, matches

LABELS = {"app": "web", "team": "shop"}


def one(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, **({"values": list(values)} if values else {})}]}


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "team": "blog"}}, False),
        ({"matchLabels": {"tier": "x"}}, False),
        (one("app", "In", "web", "api"), True),
        (one("app", "In", "api"), False),
        (one("tier", "In", "x"), False),
        (one("app", "NotIn", "web"), False),
        (one("app", "NotIn", "api"), True),
        (one("tier", "NotIn", "x"), True),
        (one("app", "Exists"), True),
        (one("tier", "Exists"), False),
        (one("app", "DoesNotExist"), False),
        (one("tier", "DoesNotExist"), True),
        ({"matchLabels": {"app": "web"}, **one("team", "NotIn", "shop")}, False),
    ],
)
def test_label_selectors_match_as_in_kubernetes(selector: dict[str, Any], expected: bool) -> None:
    assert matches(selector, LABELS) is expected


def test_a_pod_is_reviewed_if_one_webhook_selects_it() -> None:
    pod = {"metadata": {"labels": LABELS}}
    scope = WebhookScope(frozenset({"kube-system"}), (one("app", "DoesNotExist"), {"matchLabels": {"team": "shop"}}))

    assert scope.reviews("shop", pod) and not scope.reviews("kube-system", pod)
    assert not scope.reviews("shop", {"metadata": {"labels": {"app": "x"}}})
    assert not WebhookScope(selectors=()).reviews("shop", pod)


def test_selector_keys_include_labels_and_expressions() -> None:
    assert keys_of({"matchLabels": {"a": "1"}, **one("b", "Exists")}) == {"a", "b"}
