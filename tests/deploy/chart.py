"""The chart as ``helm template`` renders it for a values file."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.support.databases import ROOT

CHART: Final = ROOT / "charts/k8s-image-swapper"
IS_THERE: Final = (CHART / "Chart.yaml").exists()


def helm() -> str:
    """Path of helm: that of PATH, or the newest of those that ``make tools`` has built."""
    built = sorted((Path.home() / ".cache/k8s-image-swapper/bin").glob("helm*/helm"))
    found = shutil.which("helm") or (str(built[-1]) if built else None)
    if found is None:
        pytest.fail("helm is missing: run make tools, which builds it with Go")
    return found


def template(values: Mapping[str, Any], directory: Path, *, namespace: str = "kube-system") -> list[dict[str, Any]]:
    """The objects of a release ``k8s-image-swapper`` with these values. A refusal of Helm fails the test."""
    file = directory / "values.yaml"
    file.write_text(yaml.safe_dump(dict(values)))
    command = [helm(), "template", "k8s-image-swapper", str(CHART), "--namespace", namespace, "--values", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    return [found for found in yaml.safe_load_all(ended.stdout) if found]


def get(objects: list[dict[str, Any]], kind: str, name: str = "k8s-image-swapper") -> dict[str, Any]:
    """One object by kind and name."""
    (found,) = [o for o in objects if o["kind"] == kind and o["metadata"]["name"] == name]
    return found
