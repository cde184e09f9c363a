"""Additions for policies that match image names, required when images are swapped: prefixes, and a Kyverno policy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from mirrors.images import ImageRef, TargetName
from mirrors.kubernetes.objects.yaml_scalars import dump

_KINDS = ("containers", "initContainers", "ephemeralContainers")


def mirror_prefixes(target: TargetName, hosts: Iterable[str]) -> list[str]:
    """Return the prefixes of the names of swapped images, one for each source host; without hosts, one for all."""
    found = [_prefix(target, host) for host in hosts]
    return found or [f"{target}/"]


def _prefix(target: TargetName, host: str) -> str:
    """Return the prefix of a host's images at the target, derived from the target name of a sample repository."""
    return target.retarget(ImageRef.parse(f"{host}/library/x")).name.removesuffix("library/x")


def kyverno_policy(prefixes: Sequence[str]) -> str:
    """Return a ClusterPolicy as YAML that admits images with one of the prefixes, and reports the others."""
    pattern = " | ".join(f"{prefix}*" for prefix in prefixes)
    images: dict[str, Any] = {(kind if kind == "containers" else f"=({kind})"): [{"image": pattern}] for kind in _KINDS}
    rule = {
        "name": "known-registries",
        "match": {"any": [{"resources": {"kinds": ["Pod"]}}]},
        "validate": {
            "failureAction": "Audit",
            "message": "The image comes neither from the mirror nor from a registry that is mirrored.",
            "pattern": {"spec": images},
        },
    }
    policy = {
        "apiVersion": "kyverno.io/v1",
        "kind": "ClusterPolicy",
        "metadata": {"name": "mirrored-images"},
        "spec": {"background": True, "rules": [rule]},
    }
    return dump(policy)
