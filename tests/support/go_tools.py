"""Third-party programs that tests run, built by ``go install`` and cached: cosign, helm, kubeconform and others."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import pytest

from tests.support.cache_directory import cache_directory
from tests.support.kube_build import VERSION as KUBERNETES

_MINOR: Final = KUBERNETES.split(".")[1]
_HELM: Final = "helm.sh/helm/v3/pkg"


@dataclass(frozen=True, slots=True)
class GoTool:
    package: str
    version: str
    flags: str = ""
    """Linker flags. Without them, helm assumes Kubernetes 1.20 when it renders without a cluster."""
    tags: str = ""
    """Build tags. promtool does not need service discovery, which is most of its code."""


TOOLS: Final = {
    "cosign": GoTool("github.com/sigstore/cosign/v2/cmd/cosign", "v2.4.1"),
    "helm": GoTool(
        "helm.sh/helm/v3/cmd/helm",
        "v3.22.0",
        " ".join(
            f"-X {_HELM}/{package}.k8sVersion{part}={value}"
            for package in ("chartutil", "lint/rules")
            for part, value in (("Major", "1"), ("Minor", _MINOR))
        ),
    ),
    "kubeconform": GoTool("github.com/yannh/kubeconform/cmd/kubeconform", "v0.8.0"),
    "promtool": GoTool("github.com/prometheus/prometheus/cmd/promtool", "v0.316.0", tags="remove_all_sd"),
    "registry": GoTool("github.com/distribution/distribution/v3/cmd/registry", "v3.0.0"),
}


def path_of(name: str, tools: Mapping[str, GoTool] = TOOLS) -> Path:
    """Return the path of a tool, whether or not it exists. Each version has its own directory."""
    return cache_directory() / "bin" / f"{name}-{tools[name].version}" / name


def missing() -> list[str]:
    return [name for name in TOOLS if not path_of(name).exists()]


def build(tools: Mapping[str, GoTool] = TOOLS) -> None:
    """Build the missing tools. This takes minutes the first time. Do nothing without Go."""
    if shutil.which("go") is None:
        return
    for name in (name for name in tools if not path_of(name, tools).exists()):
        print(f"Building {name}, once for this machine", flush=True)
        tool, place = tools[name], path_of(name, tools).parent
        place.mkdir(parents=True, exist_ok=True)
        settings = {"GOBIN": str(place), "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOFLAGS": "-trimpath"}
        options = ["-tags", tool.tags, "-ldflags", f"-s -w {tool.flags}"]
        command = ["go", "install", *options, f"{tool.package}@{tool.version}"]
        subprocess.run(command, env={**os.environ, **settings}, check=True)


@lru_cache
def require(name: str) -> str:
    """Return the tool's path, or fail the test if it has not been built."""
    path = path_of(name)
    if not path.exists():
        pytest.fail(f"{name} is missing: run make tools, which builds it with Go")
    return str(path)
