"""From a decision to the order of its copy: who asks, and with which pull secrets' names."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from functools import partial
from typing import Final

from mirrors.kubernetes.workloads import workload_of
from mirrors.models import Priority
from mirrors.services import MirrorOrder
from webhook.decision.decision import Decision
from webhook.review.admission_review import AdmissionRequest

PRIORITY: Final = {"delayed": Priority.DELAYED, "immediate": Priority.IMMEDIATE, "force": Priority.FORCE}
MOST_SECRETS: Final = 20
MOST_CHARACTERS: Final = 2_000
"""Of the names of a pod's pull secrets that are noted; the column has no room for more."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")
_NAMESPACE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


def orders_for(
    decisions: Iterable[Decision], request: AdmissionRequest, priority: int, trigger: str
) -> dict[str, MirrorOrder]:
    """An order for each, by canonical source."""
    wanted = {d.key: str(d.target) for d in decisions}
    if not wanted:
        return {}
    spec = request.obj.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    secrets = spec.get("imagePullSecrets")
    names = {_name(s.get("name")) for s in secrets if isinstance(s, dict)} if isinstance(secrets, list) else set()
    kind, name = workload_of(request.obj)
    asks = partial(
        MirrorOrder,
        trigger=trigger,
        priority=priority,
        namespace=namespace_of(request),
        service_account=_name(spec.get("serviceAccountName")),
        secret_names=_that_fit(sorted(names - {""})[:MOST_SECRETS]),
        workload=f"{kind}/{name}"[:253] if name else "",
    )
    return {source: asks(source=source, target=target) for source, target in wanted.items()}


def _that_fit(names: list[str]) -> tuple[str, ...]:
    lengths = itertools.accumulate(len(name) + 1 for name in names)
    return tuple(name for name, length in zip(names, lengths, strict=True) if length <= MOST_CHARACTERS)


def namespace_of(request: AdmissionRequest) -> str:
    """The request's namespace if it is one that Kubernetes allows, else nothing."""
    return request.namespace if _NAMESPACE.fullmatch(request.namespace) else ""


def pod_name_of(request: AdmissionRequest) -> str:
    """The pod's name, or what the API server makes it of."""
    return _name(request.name)


def _name(value: object) -> str:
    """A name as Kubernetes allows it, else nothing: pods are validated only after mutating admission."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else ""
