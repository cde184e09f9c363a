"""Detects files that only contain a configuration, such as the values of a chart or a ConfigMap. Users often pass such
a file in place of the configuration file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from swapper_project.config.text.document import Pair, Tree

_CONFIG_KEYS: Final = frozenset(
    {"target", "source", "dryrun", "imageswappolicy", "imagecopypolicy", "loglevel", "logformat"}
)
"""Keys, in lower case, by which a configuration is recognised."""

_CHART_KEYS: Final = frozenset(
    [
        "affinity",
        "autoscaling",
        "awssecretkeys",
        "awssecretname",
        "cachevolume",
        "certmanager",
        "clustersuffix",
        "commonlabels",
        "containerport",
        "deployment",
        "dev",
        "extraenv",
        "extramanifests",
        "fullnameoverride",
        "hostnetwork",
        "image",
        "imagepullsecrets",
        "nameoverride",
        "nodeselector",
        "patch",
        "pdb",
        "podannotations",
        "podsecuritycontext",
        "rbac",
        "replicacount",
        "resources",
        "secretreader",
        "securitycontext",
        "service",
        "serviceaccount",
        "tolerations",
        "webhook",
    ]
)
"""Top-level keys of the chart's values, in lower case."""


def describe_wrong_file(tree: Mapping[str, Pair]) -> tuple[int, str] | None:
    """Return the line and a message that says what to pass instead, if the file is of another kind; None if it can be a
    configuration."""
    keys = {pair.key.lower(): pair for pair in tree.values()}
    if keys.keys() & _CONFIG_KEYS:
        return None
    if "apiversion" in keys and "kind" in keys:
        return _describe_kubernetes_object(keys)
    nested = next(_configurations(tree), None)
    if nested is not None:
        path, line = nested
        return line, (
            f"this is a values file of a Helm chart: use the content of `{path}:` as the configuration file, for "
            f"example: yq '.{_quoted(path)}' values.yaml > .k8s-image-swapper.yaml"
        )
    if len(keys.keys() & _CHART_KEYS) > 1 or (
        keys.keys() & {*_CHART_KEYS, "config"} and keys.keys() <= {*_CHART_KEYS, "config"}
    ):
        return next(iter(keys.values())).line, (
            "this is a values file of a Helm chart, without a configuration below `config:`; "
            "use a file with the keys of the configuration, such as target"
        )
    return None


def _describe_kubernetes_object(keys: Mapping[str, Pair]) -> tuple[int, str]:
    kind, data = keys["kind"], keys.get("data")
    for pair in (data.value if data and isinstance(data.value, dict) else {}).values():
        if isinstance(pair.value, str) and any(f"{key}:" in pair.value.lower() for key in _CONFIG_KEYS):
            return pair.line, f'this is a {kind.value} of Kubernetes: use the text below data["{pair.key}"] instead'
    return kind.line, f"this is a {kind.value} of Kubernetes, not a configuration file"


def _configurations(tree: Mapping[str, Pair]) -> Iterator[tuple[str, int]]:
    """Yield the path and line of each configuration below ``config``: at the top level, or below the name of the chart
    in the values of a parent chart."""
    for pair in tree.values():
        if pair.key.lower() == "config" and _is_configuration(pair.value):
            yield pair.key, pair.line
    for pair in tree.values():
        for child in pair.value.values() if isinstance(pair.value, dict) else ():
            if child.key.lower() == "config" and _is_configuration(child.value):
                yield f"{pair.key}.{child.key}", child.line


def _is_configuration(value: Tree) -> bool:
    return isinstance(value, dict) and any(pair.key.lower() in _CONFIG_KEYS for pair in value.values())


def _quoted(path: str) -> str:
    return ".".join(part if part.isidentifier() else f'"{part}"' for part in path.split("."))
