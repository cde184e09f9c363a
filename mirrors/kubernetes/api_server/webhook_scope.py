"""The pods that the API server sends to the webhook, according to the selectors of its configuration.

https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/#matching-requests-namespaceselector
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mirrors.kubernetes.api_server.api_client import read_namespace, read_webhook_configuration
from mirrors.kubernetes.objects.pods import Json, mapping

NAME_LABEL: Final = "kubernetes.io/metadata.name"
"""The label of each namespace that contains its name. If selectors use no other label, no namespace must be read."""

Selector = Mapping[str, Any]
"""A LabelSelector as JSON. An empty one matches everything."""


@dataclass(frozen=True, slots=True)
class WebhookScope:
    """The scope of all webhooks of a configuration.

    ``excluded`` are the namespaces for which no webhook is called; ``selectors`` are the object selectors of the
    webhooks.
    """

    excluded: frozenset[str] = frozenset()
    selectors: tuple[Selector, ...] = ({},)

    def reviews(self, namespace: str, pod: Json) -> bool:
        labels = mapping(mapping(pod.get("metadata")).get("labels"))
        return namespace not in self.excluded and any(matches(selector, labels) for selector in self.selectors)


def read_scope(name: str, namespaces: Iterable[str]) -> WebhookScope:
    """Return the scope of a MutatingWebhookConfiguration for these namespaces. Raises ClusterError."""
    webhooks = [webhook for webhook in read_webhook_configuration(name).get("webhooks") or [] if _reviews_pods(webhook)]
    namespace_selectors = [webhook.get("namespaceSelector") or {} for webhook in webhooks]
    if all(keys_of(selector) <= {NAME_LABEL} for selector in namespace_selectors):
        labels = {namespace: {NAME_LABEL: namespace} for namespace in namespaces}
    else:
        labels = {namespace: read_namespace(namespace) for namespace in namespaces}
    excluded = {
        name
        for name, own_labels in labels.items()
        if not any(matches(selector, own_labels) for selector in namespace_selectors)
    }
    return WebhookScope(frozenset(excluded), tuple(webhook.get("objectSelector") or {} for webhook in webhooks))


def matches(selector: Selector, labels: Json) -> bool:
    """Return whether the labels meet all requirements of a label selector, with the semantics of Kubernetes."""
    match_labels = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in match_labels.items()):
        return False
    return all(_meets(labels, **requirement) for requirement in selector.get("matchExpressions") or [])


def keys_of(selector: Selector) -> set[str]:
    expressions = selector.get("matchExpressions") or []
    return {*(selector.get("matchLabels") or {}), *(requirement["key"] for requirement in expressions)}


def _meets(labels: Json, key: str, operator: str, values: Iterable[str] | None = None) -> bool:
    match operator:
        case "In":
            return key in labels and labels[key] in (values or ())
        case "NotIn":
            return key not in labels or labels[key] not in (values or ())
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def _reviews_pods(webhook: Json) -> bool:
    """Return whether the webhook is called when pods are created."""
    return any(
        {"pods", "*", "*/*"} & set(rule.get("resources") or ())
        and {"CREATE", "*"} & set(rule.get("operations") or ())
        and {"", "*"} & set(rule.get("apiGroups") or ())
        for rule in webhook.get("rules") or ()
    )
