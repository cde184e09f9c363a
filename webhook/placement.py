"""Which platforms a pod binds itself to, by node selector or required node affinity (well-known node labels)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from mirrors.pods import EMPTY, Json

ARCH: Final = "kubernetes.io/arch"
OS: Final = "kubernetes.io/os"


def platforms_of(pod: Json) -> frozenset[str]:
    """``os/arch`` of all nodes that the pod asks for; empty where it leaves the architecture to the scheduler."""
    spec = _mapping(pod.get("spec"))
    selector = _mapping(spec.get("nodeSelector"))
    systems, architectures = {selector.get(OS)}, {selector.get(ARCH)}
    for expression in _required(spec):
        if expression.get("operator") == "In" and isinstance(expression.get("values"), list):
            wanted = {OS: systems, ARCH: architectures}.get(expression.get("key") or "")
            if wanted is not None:
                wanted.update(value for value in expression["values"] if isinstance(value, str))
    system = next((name for name in systems if isinstance(name, str)), "linux")
    return frozenset(f"{system}/{name}" for name in architectures if isinstance(name, str))


def _required(spec: Json) -> Iterator[Json]:
    affinity = _mapping(_mapping(spec.get("affinity")).get("nodeAffinity"))
    terms = _mapping(affinity.get("requiredDuringSchedulingIgnoredDuringExecution")).get("nodeSelectorTerms")
    for term in terms if isinstance(terms, list) else ():
        expressions = _mapping(term).get("matchExpressions")
        for expression in expressions if isinstance(expressions, list) else ():
            if isinstance(expression, dict) and isinstance(expression.get("key"), str):
                yield expression


def _mapping(value: Any) -> Json:
    return value if isinstance(value, dict) else EMPTY
