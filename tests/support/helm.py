"""The chart as an operator sees it: the output of ``helm template`` for some values."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import yaml

from tests.support.databases import ROOT
from tests.support.go_tools import require
from tests.support.shared_artifacts import create_once

CHART: Final = ROOT / "charts/k8s-image-swapper"
FULLNAME: Final = "k8s-image-swapper"
"""The full name of a release that has the same name as the chart, as in the getting-started page of estahn's
project."""

Object = dict[str, Any]
_NOTES: Final = 'notes: {{ include (print $.Template.BasePath "/NOTES.txt") . | toJson }}\n'


class RenderError(Exception):
    """Raised when Helm rejects the values. The message is Helm's error output."""


@dataclass(frozen=True)
class Manifests:
    """The rendered manifests. Tests share the objects and must not change them."""

    text: str
    objects: Sequence[Object]

    def all(self, kind: str) -> list[Object]:
        return [found for found in self.objects if found["kind"] == kind]

    def get(self, kind: str, name: str = FULLNAME) -> Object:
        (found,) = [found for found in self.all(kind) if found["metadata"]["name"] == name]
        return found

    def has(self, kind: str, name: str = FULLNAME) -> bool:
        return name in [found["metadata"]["name"] for found in self.all(kind)]

    @property
    def config_text(self) -> str:
        """The configuration file."""
        text: str = self.get("ConfigMap")["data"][".k8s-image-swapper.yaml"]
        return text

    @property
    def hook(self) -> Object:
        """The registered webhook."""
        (found,) = self.get("MutatingWebhookConfiguration")["webhooks"]
        return dict(found)

    def deployment(self, role: str = "") -> Object:
        """Return the Deployment of ``web`` or ``worker``, or that of the webhook if no role is given."""
        return self.get("Deployment", f"{FULLNAME}-{role}" if role else FULLNAME)

    def pods(self) -> Iterator[tuple[str, Object]]:
        """Yield all pod templates, each with the kind and name of the object that contains it."""
        for found in self.objects:
            if (template := template_of(found)) is not None:
                yield f"{found['kind']}/{found['metadata']['name']}", template


def template_of(found: Object) -> Object | None:
    """Return the pod or pod template of an object, or None if it has none."""
    if found["kind"] == "Pod":
        return found
    spec = found.get("spec", {})
    spec = spec.get("jobTemplate", {}).get("spec", spec)
    template: Object | None = spec.get("template") if found["kind"] != "Certificate" else None
    return template


def containers(pod: Object) -> list[Object]:
    """Return all containers of a pod, init containers first."""
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def variables(container: Object) -> dict[str, Any]:
    """Return the environment: each variable's value or its ``valueFrom``."""
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container.get("env", [])}


def render(
    values: Mapping[str, Any] | None = None,
    *sets: str,
    release: str = FULLNAME,
    namespace: str = "swapper",
    flags: Sequence[str] = (),
) -> Manifests:
    """Run ``helm template``. ``sets`` are arguments of ``--set``. Raise RenderError if Helm rejects the values."""
    text = _template(CHART, json.dumps(values or {}), tuple(sets), release, namespace, tuple(flags))
    return _parsed(text)


def notes(values: Mapping[str, Any] | None = None, *sets: str, flags: Sequence[str] = ()) -> str:
    """Return the notes that ``helm install`` prints."""
    arguments = ("--show-only", "templates/notes-as-a-template.yaml", *flags)
    text = _template(_chart_with_notes(), json.dumps(values or {}), sets, FULLNAME, "swapper", arguments)
    printed: str = yaml.safe_load(text)["notes"]
    return printed


def helm(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run([require("helm"), *arguments], capture_output=True, text=True, check=check, timeout=60)


@cache
def _chart_with_notes() -> Path:
    """Return a copy of the chart whose notes are also a template, because only templates are rendered without a
    cluster."""
    return create_once("chart-with-notes", _add_notes) / FULLNAME


def _add_notes(directory: Path) -> None:
    place = directory / FULLNAME
    shutil.copytree(CHART, place)
    (place / "templates/notes-as-a-template.yaml").write_text(_NOTES)


@cache
def _template(
    chart: Path, values: str, sets: tuple[str, ...], release: str, namespace: str, flags: tuple[str, ...]
) -> str:
    """Render the chart once per run for the same values, because each call of helm takes a third of a second of CPU
    time."""
    given = ("--namespace", namespace, *(part for text in sets for part in ("--set", text)), *flags)
    key = hashlib.sha256(json.dumps([str(chart), release, values, given]).encode()).hexdigest()
    made = create_once(f"helm-{key}", partial(_render, chart, release, values, given))
    if error := (made / "error").read_text():
        raise RenderError(error)
    return (made / "text").read_text()


def _render(chart: Path, release: str, values: str, given: tuple[str, ...], directory: Path) -> None:
    file = directory / "values.yaml"
    file.write_text(values)
    result = helm("template", release, str(chart), "--values", str(file), *given, check=False)
    (directory / "text").write_text(result.stdout)
    (directory / "error").write_text((result.stderr or "helm failed") if result.returncode else "")


@cache
def _parsed(text: str) -> Manifests:
    return Manifests(text, tuple(found for found in yaml.load_all(text, _Loader) if found))


class _Loader(yaml.CSafeLoader):
    """A loader as strict as the API server: a duplicate key is an error."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"duplicate keys: {keys}"
        return super().construct_mapping(node, deep)
