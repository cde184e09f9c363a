"""The platforms that a pod is restricted to by node selector or required node affinity (well-known node labels).

As in the scheduler, the selector, at least one term of the affinity, and every expression of that term must match.
https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from mirrors.kubernetes.objects.pods import Json, mapping, text

ARCH: Final = "kubernetes.io/arch"
OS: Final = "kubernetes.io/os"
DEFAULT_OS: Final = "linux"

MOST_TERMS: Final = 100
"""The most terms of an affinity that are evaluated; real ones have one or two."""

MOST_VALUES: Final = 20
"""The most values of a label that are evaluated, because all combinations of two labels are built."""


@dataclass(frozen=True, slots=True)
class NodeLabelValues:
    """The allowed values of one node label. If ``only`` is None, all values except those in ``excluded``."""

    only: frozenset[str] | None = None
    excluded: frozenset[str] = frozenset()

    def narrowed(self, operator: object, values: frozenset[str]) -> NodeLabelValues:
        if operator == "In":
            return replace(self, only=values if self.only is None else self.only & values)
        return replace(self, excluded=self.excluded | values) if operator == "NotIn" else self

    def values(self, default: str = "") -> list[str]:
        """Return the allowed values, sorted; the default if any value is allowed. Empty if no value is allowed."""
        allowed = self.only if self.only is not None else frozenset({default} if default else ())
        return sorted(allowed - self.excluded)[:MOST_VALUES]


def platforms_of(pod: Json) -> frozenset[str]:
    """Return the platforms (``os/arch``) that the pod is restricted to; empty if it does not restrict the
    architecture."""
    spec = mapping(pod.get("spec"))
    selector = mapping(spec.get("nodeSelector"))
    by_selector = {
        key: NodeLabelValues(frozenset({selector[key]})) if isinstance(selector.get(key), str) else NodeLabelValues()
        for key in (OS, ARCH)
    }
    system = text(mapping(spec.get("os")).get("name")) or DEFAULT_OS
    terms = _required_terms(spec)
    platforms: set[str] = set()
    for allowed in [by_selector] if terms is None else (_narrowed(by_selector, term) for term in terms):
        pairs = itertools.product(allowed[OS].values(system), allowed[ARCH].values())
        platforms.update(f"{name}/{architecture}" for name, architecture in pairs)
    return frozenset(platforms)


def _narrowed(allowed: dict[str, NodeLabelValues], term: Json) -> dict[str, NodeLabelValues]:
    narrowed = dict(allowed)
    for expression in _dictionaries(term.get("matchExpressions")):
        key = text(expression.get("key"))
        if key in narrowed:
            values = expression.get("values")
            texts = frozenset(v for v in values if isinstance(v, str)) if isinstance(values, list) else frozenset()
            narrowed[key] = narrowed[key].narrowed(expression.get("operator"), texts)
    return narrowed


def _required_terms(spec: Json) -> list[Json] | None:
    """Return the terms of the required node affinity that can match; None if the pod has no required affinity."""
    affinity = mapping(mapping(spec.get("affinity")).get("nodeAffinity"))
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if not isinstance(required, dict):
        return None
    terms = itertools.islice(_dictionaries(required.get("nodeSelectorTerms")), MOST_TERMS)
    # An empty term matches no node.
    return [term for term in terms if term.get("matchExpressions") or term.get("matchFields")]


def _dictionaries(value: object) -> Iterator[Json]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
