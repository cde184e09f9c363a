"""Manifests as anyone may paste them: pods are found in all workloads, and hostile text costs little."""

from __future__ import annotations

import pytest

from mirrors.manifests import MOST_PODS, ManifestError, pods_in, read_pods

POD = "kind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: web, image: nginx}]}\n"


def laughs(join: str) -> str:
    """Nine levels of aliases, each of ten: a thousand million values in half a kilobyte."""
    lines = ["a: &a {x: y}"]
    for before, name in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{name}: &{name}{join}[{', '.join([f'*{before}'] * 10)}]")
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no pod"),
        ("a: [b\nc: d", "line 2, column 2"),
        ("kind: Service", "no pod"),
        ("[" * 500_000, "nested"),
        ('{"a":' * 900 + "1" + "}" * 900, "nested"),
        ("\n".join(" " * depth + "a:" for depth in range(300)), "nested"),
        (laughs(" "), "unfolds to more"),
        (laughs("\n  <<: "), "unfolds to more"),
        ("a: &a [*a]", "nested"),
        (POD.replace("{name: web}", "{name: web, namespace: Shop_1}"), "namespace of Pod/web"),
        (POD.replace("{name: web}", "{name: web, namespace: [x]}"), "namespace of Pod/web"),
        ("!!python/object/apply:os.system [ls]", "not YAML"),
        ("a: " + "9" * 5000, "not YAML"),
        ("a: \0", "not YAML"),
        ("? [a]\n: b", "not YAML"),
        ("x" * (1 << 20) + "x", "1 MiB"),
        ("---\n".join([POD] * (MOST_PODS + 1)), f"{MOST_PODS} at most"),
    ],
    ids=lambda value: value[:20].replace("\0", "NUL") if isinstance(value, str) else None,
)
def test_what_is_no_manifest_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        read_pods(text, namespace="default")


def test_objects_that_are_read_already_are_bounded_too() -> None:
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    with pytest.raises(ManifestError, match="nested"):
        pods_in([{"kind": "Pod", "spec": deep}], namespace="default")


def test_aliases_dates_and_numbers_come_as_kubernetes_reads_them() -> None:
    text = """
x: &base {name: web, image: nginx}
kind: CronJob
metadata: {name: nightly, namespace: shop}
spec: {jobTemplate: {spec: {template: {metadata: {labels: {since: 2026-01-02, 1: "2"}}, spec: {containers: [*base]}}}}}
"""
    (pod,) = read_pods(text, namespace="default")
    assert (pod.title, pod.namespace) == ("CronJob/nightly", "shop")
    assert pod.pod["metadata"]["labels"] == {"since": "2026-01-02", "1": "2"}
    assert pod.pod["spec"]["containers"] == [{"name": "web", "image": "nginx"}]
