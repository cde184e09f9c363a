"""Manifests that users paste: pods are found in all kinds of workloads, and hostile text costs little CPU time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mirrors.kubernetes.objects.pod_manifests import MOST_PODS, ManifestError, pods_in, read_file, read_pods
from mirrors.kubernetes.objects.yaml_scalars import dump

POD = "kind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: web, image: nginx}]}\n"


def laughs(join: str) -> str:
    """Return nine levels, of which eight have ten aliases each: over a hundred million values in half a kilobyte."""
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
        (laughs(" "), "expands to more"),
        (laughs("\n  <<: "), "expands to more"),
        ("a: &a [*a]", "nested"),
        (POD.replace("{name: web}", "{name: web, namespace: Shop_1}"), "namespace of Pod/web"),
        (POD.replace("{name: web}", "{name: web, namespace: [x]}"), "namespace of Pod/web"),
        ("!!python/object/apply:os.system [ls]", "not valid YAML"),
        ("a: " + "9" * 5000, "no pod"),
        ("a: {{ .Values.image }}", "render it first"),
        ("a:\n\t- b", "use spaces in line 2"),
        ("a: @b", "put quotes around it in line 1, column 4"),
        ("a: \0", "not valid YAML"),
        ("? [a]\n: b", "not valid YAML"),
        ("x" * (1 << 20) + "x", "1 MiB"),
        ("kind: Pod\nmetadata: {name: web}", "Pod/web has no spec."),
        ("kind: PodList\nitems: [{metadata: null}]", r"Pod/\(no name\) has no spec."),
        ("kind: Pod\nspec: {containers: nginx}", "spec.containers of Pod/.* must be a list of objects."),
        ("kind: Pod\nspec: {containers: [nginx]}", "spec.containers of Pod/.* must be a list of objects."),
        ("kind: Pod\nspec: {initContainers: {a: b}}", "spec.initContainers of Pod/.* must be a list of objects."),
        ("kind: Deployment\nmetadata: {name: x}\nspec: {replicas: 1}", "Deployment/x has no spec.template."),
        ("kind: Deployment\nmetadata: {name: x}\nspec: {template: {}}", "Deployment/x has no spec.template.spec."),
        ("---\n".join([POD] * (MOST_PODS + 1)), f"at most {MOST_PODS}"),
    ],
    ids=lambda value: value[:20].replace("\0", "NUL") if isinstance(value, str) else None,
)
def test_an_invalid_manifest_is_rejected_with_a_message(text: str, words: str) -> None:
    with pytest.raises(ManifestError, match=words):
        read_pods(text, namespace="default")


def test_the_nesting_limit_applies_to_parsed_objects() -> None:
    deep: list[object] = []
    for _ in range(300):
        deep = [deep]
    with pytest.raises(ManifestError, match="nested"):
        pods_in([{"kind": "Pod", "spec": deep}], namespace="default")


def test_aliases_dates_and_numbers_are_read_as_in_kubernetes() -> None:
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


TEMPLATE = {"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "nginx"}]}}}}
BARE = {"metadata": {"name": "web"}, "spec": {"containers": [{"name": "web", "image": "nginx", "args": ["="]}]}}


@pytest.mark.parametrize(
    ("document", "titles"),
    [
        ({"kind": "PodList", "items": [BARE, BARE]}, ["Pod/web", "Pod/web"]),
        ({"kind": "DeploymentList", "items": [{"metadata": {"name": "api"}, **TEMPLATE}]}, ["Deployment/api"]),
        ({"kind": "JobList", "items": [{**TEMPLATE, "kind": "Job"}]}, ["Job/(no name)"]),
        ({"kind": "PodTemplateList", "items": [{"template": BARE}]}, ["PodTemplate/(no name)"]),
        (
            {
                "kind": "List",
                "items": [{"kind": "Service"}, {"kind": "Pod", **BARE}, {"kind": "PodList", "items": [BARE]}],
            },
            ["Pod/web", "Pod/web"],
        ),
    ],
)
def test_pods_are_found_in_all_kinds_of_lists(document: dict[str, object], titles: list[str]) -> None:
    for pods in (
        pods_in([document], namespace="default"),
        read_pods(json.dumps(document), namespace="default"),
        read_pods(dump(document), namespace="default"),
    ):
        assert [pod.title for pod in pods] == titles
        assert all(pod.pod["kind"] == "Pod" and pod.pod["spec"]["containers"] for pod in pods)


@pytest.mark.parametrize("items", [None, {}, "x", [None, 1, []], [{"kind": "Service"}]])
def test_lists_without_pods_are_skipped(items: object) -> None:
    read = [pod.title for pod in pods_in([{"kind": "PodList", "items": items}, {"kind": "Pod", **BARE}], namespace="a")]
    assert read[-1] == "Pod/web"


def test_json_is_parsed_as_json_not_as_yaml() -> None:
    """Escapes that YAML does not support, tabs, and a byte order mark."""
    text = '\ufeff{\n\t"kind": "Pod", "metadata": {"name": "\\ud83d\\ude00", "namespace": "shop"}, "spec": {}}'
    (pod,) = read_pods(text, namespace="default")
    assert (pod.title, pod.namespace) == ("Pod/😀", "shop")


def test_equals_signs_are_read_as_text() -> None:
    text = POD.replace("image: nginx", "image: nginx, args: [=, 1:1, --a=b]") + "---\nkind: CRD\nspec: {default: =}\n"
    (pod,) = read_pods(text, namespace="default")
    assert pod.pod["spec"]["containers"][0]["args"] == ["=", "1:1", "--a=b"]


def test_a_utf_16_file_is_read_and_other_encodings_and_sizes_are_rejected(tmp_path: Path) -> None:
    file = tmp_path / "pod.yaml"
    file.write_bytes(POD.encode("utf-16"))
    assert read_pods(read_file(file), namespace="default")[0].title == "Pod/web"
    file.write_bytes(POD.replace("web", "ü").encode("latin-1"))
    with pytest.raises(ManifestError, match="save it as UTF-8"):
        read_file(file)
    file.write_bytes(b" " * (2 << 20) + b"   ")
    with pytest.raises(ManifestError, match="more than 1 MiB"):
        read_file(file)
