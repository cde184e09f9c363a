"""Images that nodes cannot pull: whether the target has them, and advice for each cause."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db.models import Count, Q, QuerySet

from mirrors.models import (
    Access,
    Existence,
    ImageMapping,
    MappingAccess,
    PullFailure,
)
from mirrors.selectors.queries.batches import batched
from mirrors.vocabulary.pull_causes import PullCause, PullSide

IMAGES_PER_QUERY: Final = 400
"""The most images in one query. Each is passed as source and as target, and SQLite limits the parameters."""

RESTARTABLE_KINDS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet"})
"""Kinds that ``kubectl rollout restart`` supports."""

PULL_ADVICE: Final = {
    (
        PullCause.NOT_FOUND,
        PullSide.TARGET,
    ): "The target no longer has the image: it is copied again, and new pods keep their source in the meantime. "
    "Check the lifecycle rules of the repository, and who deletes images there.",
    (
        PullCause.DENIED,
        PullSide.TARGET,
    ): "The target refuses the nodes. Give their credentials permission to pull: the IAM role of the nodes (Amazon "
    "ECR: AmazonEC2ContainerRegistryPullOnly), their service account (Google: roles/artifactregistry.reader), or a "
    "pull secret of the namespace.",
    (
        PullCause.UNREACHABLE,
        PullSide.TARGET,
    ): "The nodes cannot reach the target. Check their DNS, routes, firewall and proxy to it, and whether their "
    "container runtime trusts its certificate.",
    (
        PullCause.NOT_FOUND,
        PullSide.SOURCE,
    ): "The source does not have this image: check its name and tag in the workload.",
    (
        PullCause.DENIED,
        PullSide.SOURCE,
    ): "The source refuses the pull: the image does not exist, or the namespace needs a pull secret for it.",
    (
        PullCause.UNREACHABLE,
        PullSide.SOURCE,
    ): "The nodes cannot reach the source. Check its status, and the DNS, routes and proxy of the nodes.",
}
ADVICE_BY_CAUSE: Final = {
    PullCause.RATE_LIMITED: "The registry limits requests of the nodes; the kubelet tries again. Pulls from the mirror "
    "do not count: mirror the image, then create the pod again.",
    PullCause.PLATFORM_MISSING: "The image has no variant for the platform of these nodes. Compare the key "
    "platforms of the configuration with the nodes, or bind the workload to nodes of another platform.",
    PullCause.INVALID_NAME: "The image is not a valid reference: correct it in the workload.",
    PullCause.OTHER: "Read the message of the kubelet: kubectl describe pod shows the full text.",
    PullCause.NOT_FOUND: "",
}


@dataclass(frozen=True, slots=True)
class Mirrored:
    """The state of the mirror of an image."""

    mapping_id: int
    source: str
    is_swappable: bool
    """Whether the target has the image, and nothing blocks a swap."""
    is_public: bool
    namespaces: frozenset[str] = field(default_factory=frozenset)
    """For a private image, the namespaces with proven access."""

    def is_usable_by(self, namespaces: Collection[str], *, everybody: bool) -> bool:
        return self.is_swappable and (everybody or self.is_public or self.namespaces.issuperset(namespaces))


def mirrored_images(target_registry_id: int | None, names: Sequence[str], *, cluster: str) -> dict[str, Mirrored]:
    """Return the state of mirrors by the given names: canonical sources of images, or their names at the target.
    Namespaces are those of the cluster that may use the image."""
    if target_registry_id is None:
        return {}
    images: dict[str, Mirrored] = {}
    for batch in batched(names, IMAGES_PER_QUERY):
        rows = ImageMapping.objects.filter(
            Q(source__in=batch) | Q(target__in=batch), target_registry=target_registry_id
        )
        mappings = list(rows)
        granted = _granted([m.pk for m in mappings if m.access != Access.ANONYMOUS], cluster)
        for mapping in mappings:
            state = _mirrored(mapping, granted.get(mapping.pk, frozenset()))
            images |= {mapping.source: state, mapping.target: state}
    return images


def _mirrored(mapping: ImageMapping, namespaces: frozenset[str]) -> Mirrored:
    is_swappable = mapping.existence == Existence.PRESENT and not mapping.paused and not mapping.obstacle
    is_public = mapping.access == Access.ANONYMOUS
    return Mirrored(mapping.pk, mapping.source, is_swappable, is_public, namespaces)


def _granted(mapping_ids: Collection[int], cluster: str) -> dict[int, frozenset[str]]:
    granted: dict[int, frozenset[str]] = {}
    rows = MappingAccess.objects.filter(mapping__in=mapping_ids, cluster=cluster, granted=True)
    for mapping_id, namespace in rows.values_list("mapping_id", "namespace"):
        granted[mapping_id] = granted.get(mapping_id, frozenset()) | {namespace}
    return granted


def pull_advice(cause: str, side: str) -> str:
    """Return the advice for a failing pull."""
    if not cause:
        return ""
    pull_cause = PullCause(cause)
    return PULL_ADVICE.get((pull_cause, PullSide(side))) or ADVICE_BY_CAUSE.get(pull_cause, "")


def restart_command(sample: dict[str, Any]) -> str:
    """Return the command that recreates a pod, so that it is swapped. It restarts the workload if kubectl supports
    that, and otherwise deletes the pod."""
    if sample["kind"] in RESTARTABLE_KINDS:
        return f"kubectl -n {sample['namespace']} rollout restart {sample['kind'].lower()}/{sample['name']}"
    return f"kubectl -n {sample['namespace']} delete pod {sample['pod']}"


def restart_commands(row: PullFailure) -> list[str]:
    """Return the commands that recreate the pods of a row; empty if new pods would not start from the mirror."""
    return list(dict.fromkeys(restart_command(sample) for sample in row.samples)) if row.would_start else []


def failing_images(**scope: str) -> QuerySet[Any, Any]:
    """Return the number of images that nodes cannot pull, by cause, side and whether they are mirrored, the most
    frequent first; of all clusters, or with ``cluster`` of one."""
    groups = PullFailure.objects.filter(**scope).values("cause", "at", "is_mirrored")
    return groups.annotate(images=Count("pk")).order_by("-images", "cause", "at")
