"""The platforms to which a pod is bound, by the scheduler's rules."""

from __future__ import annotations

from typing import Any

import pytest

from mirrors.kubernetes.objects.placement import ARCH, OS, platforms_of


def expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"key": key, "operator": operator, "values": list(values)}


def pod(*terms: list[dict[str, Any]], selector: dict[str, Any] | None = None, system: str = "") -> dict[str, Any]:
    spec: dict[str, Any] = {"nodeSelector": selector or {}}
    if system:
        spec["os"] = {"name": system}
    if terms:
        required = {"nodeSelectorTerms": [{"matchExpressions": term} for term in terms]}
        spec["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}
    return {"spec": spec}


AMD, ARM = expression(ARCH, "In", "amd64"), expression(ARCH, "In", "arm64")
BOTH = expression(ARCH, "In", "amd64", "arm64")
EITHER_OS = expression(OS, "In", "linux", "windows")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (pod(), set()),
        (pod(selector={ARCH: "arm64"}), {"linux/arm64"}),
        (pod(selector={ARCH: "arm64", OS: "windows"}), {"windows/arm64"}),
        (pod(selector={ARCH: "amd64"}, system="windows"), {"windows/amd64"}),
        (pod(selector={OS: "linux"}), set()),
        # All operating systems with all architectures.
        (pod([EITHER_OS, BOTH]), {"linux/amd64", "linux/arm64", "windows/amd64", "windows/arm64"}),
        (pod([EITHER_OS, AMD]), {"linux/amd64", "windows/amd64"}),
        # Expressions of a term are joined by AND, and so is the node selector.
        (pod([BOTH, ARM]), {"linux/arm64"}),
        (pod([AMD, ARM]), set()),
        (pod([BOTH, expression(ARCH, "NotIn", "arm64")]), {"linux/amd64"}),
        (pod([BOTH], selector={ARCH: "amd64"}), {"linux/amd64"}),
        (pod([EITHER_OS, BOTH], selector={OS: "windows", ARCH: "arm64"}), {"windows/arm64"}),
        (pod([ARM], selector={ARCH: "amd64"}), set()),
        (pod([expression(ARCH, "NotIn", "arm64")]), set()),
        (pod([expression(ARCH, "Exists")], selector={ARCH: "arm64"}), {"linux/arm64"}),
        # Terms are joined by OR. A combination that no term has is not a platform of the pod.
        (pod([AMD], [ARM]), {"linux/amd64", "linux/arm64"}),
        (
            pod([expression(OS, "In", "windows"), AMD], [expression(OS, "In", "linux"), ARM]),
            {"windows/amd64", "linux/arm64"},
        ),
        (pod([AMD], [expression("zone", "In", "a")]), {"linux/amd64"}),
        # An empty term matches no node.
        (pod([], [ARM]), {"linux/arm64"}),
        (pod([], selector={ARCH: "arm64"}), set()),
        # Values of an unexpected type are ignored.
        (pod(selector={ARCH: 5, OS: ["linux"]}), set()),
        ({"spec": {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": []}}}}, set()),
        ({"spec": {"nodeSelector": "arm64", "affinity": "x"}}, set()),
        (pod([{"key": ARCH, "operator": "In", "values": [{}, "arm64", None]}]), {"linux/arm64"}),
        ({}, set()),
    ],
)
def test_platforms_are_derived_from_scheduling_constraints(given: dict[str, Any], expected: set[str]) -> None:
    assert platforms_of(given) == expected


def test_the_number_of_platforms_is_limited() -> None:
    many = [str(number) for number in range(20_000)]
    term = [expression(OS, "In", *many), expression(ARCH, "In", *many)]

    assert len(platforms_of(pod(*[term] * 3))) <= 400
