"""The workload that a pod belongs to, derived from the pod's metadata only.

The top-level owner follows from the rules by which controllers name the objects that they create.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from mirrors.kubernetes.objects.pods import Json

T = TypeVar("T")

_KIND: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}")
"""The API server's rule for kinds of custom resources."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")
_CRON_SUFFIX: Final = re.compile(r"-\d{8,12}$")


class Workload(NamedTuple):
    """Kind and name of a workload. Both are empty for bare pods; the name is empty for a Job without a CronJob."""

    kind: str = ""
    name: str = ""


def workload_of(pod: Json) -> Workload:
    """Return the Deployment, CronJob, StatefulSet … of a pod. Usage is recorded by workload, not by pod."""
    metadata = pod.get("metadata")
    if not isinstance(metadata, dict):
        return Workload()
    owner = _owner(metadata.get("ownerReferences"))
    if owner is None:
        return Workload()
    labels = metadata.get("labels")
    return workload_of_owner(*owner, labels if isinstance(labels, dict) else {})


def workload_of_owner(kind: str, name: str, labels: Mapping[str, object]) -> Workload:
    """Return the workload of a pod with these labels whose controller has this kind and name."""
    if kind == "ReplicaSet":
        suffix = labels.get("pod-template-hash")
        if isinstance(suffix, str) and suffix and name.endswith(f"-{suffix}"):
            return Workload("Deployment", name.removesuffix(f"-{suffix}"))
    if kind == "Job":
        cron = _CRON_SUFFIX.sub("", name)
        return Workload("CronJob", cron) if cron != name else Workload("Job", "")
    return Workload(kind, name)


def deciding_owners(owners: Sequence[T], is_controller: Callable[[T], bool]) -> Sequence[T]:
    """Return the owner that is the controller, or else the only owner; empty if several owners are not controllers."""
    return [owner for owner in owners if is_controller(owner)] or (owners if len(owners) == 1 else ())


def _owner(references: object) -> tuple[str, str] | None:
    if not isinstance(references, list):
        return None
    owners = [reference for reference in references if isinstance(reference, dict)]
    for owner in deciding_owners(owners, lambda owner: owner.get("controller") is True):
        kind, name = owner.get("kind"), owner.get("name")
        if isinstance(kind, str) and isinstance(name, str) and _KIND.fullmatch(kind) and _NAME.fullmatch(name):
            return kind, name
    return None
