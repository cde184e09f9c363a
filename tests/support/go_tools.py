"""Programs of others that tests run, built by ``go install`` and kept: cosign, helm, kubeconform and others."""

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
    """Of the linker. Without them helm takes the cluster for Kubernetes 1.20 where it asks none."""
    tags: str = ""
    """Of the build. promtool needs no service discovery, which is most of what it is built from."""


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
    """Where a tool is, or will be: a directory for each version."""
    return cache_directory() / "bin" / f"{name}-{tools[name].version}" / name


def missing() -> list[str]:
    return [name for name in TOOLS if not path_of(name).exists()]


def build(tools: Mapping[str, GoTool] = TOOLS) -> None:
    """Build what is missing: minutes the first time, nothing after that. Without Go nothing happens."""
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
    """The tool's path; the test fails where it has not been built."""
    path = path_of(name)
    if not path.exists():
        pytest.fail(f"{name} is missing: run make tools, which builds it with Go")
    return str(path)
