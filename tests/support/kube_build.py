"""The programs of a control plane, built from Go modules and cached. ``KUBEBUILDER_ASSETS`` can name prebuilt ones."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from tests.support.cache_directory import cache_directory

MODULE: Final = Path(__file__).parents[1] / "e2e/controlplane"
VERSION: Final = "v1.35.4"
PACKAGES: Final = {
    "etcd": "go.etcd.io/etcd/server/v3",
    "kube-apiserver": "k8s.io/kubernetes/cmd/kube-apiserver",
    "kube-controller-manager": "k8s.io/kubernetes/cmd/kube-controller-manager",
}
STAMP: Final = "k8s.io/component-base/version"
FLAGS: Final = f"-s -w -X {STAMP}.gitVersion={VERSION} -X {STAMP}.gitMajor=1 -X {STAMP}.gitMinor=35"
SETTINGS: Final = {
    "GOTOOLCHAIN": "local",
    "CGO_ENABLED": "0",
    "GOGC": "400",
    "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
}


def binaries() -> Path | None:
    """Return the directory of the programs, or None if they are not built yet."""
    if given := os.environ.get("KUBEBUILDER_ASSETS"):
        return Path(given)
    place = _place()
    return place if place is not None and all((place / name).exists() for name in PACKAGES) else None


def build() -> None:
    """Build the missing programs. This takes minutes the first time. Do nothing without Go."""
    place = _place()
    if binaries() is not None or place is None:
        return
    place.mkdir(parents=True, exist_ok=True)
    for name, package in PACKAGES.items():
        if (place / name).exists():
            continue
        print(f"Building {name}, once for this machine", flush=True)
        # Use a temporary name until the file is complete, so that an interrupted build leaves no binary.
        part = place / f"{name}.part"
        command = ["go", "build", "-ldflags", FLAGS, "-o", str(part), package]
        subprocess.run(command, cwd=MODULE, env={**os.environ, **SETTINGS}, check=True)
        part.rename(place / name)


def _place() -> Path | None:
    """Return the cache directory for the current sources, flags and Go version, or None without Go."""
    if shutil.which("go") is None:
        return None
    version = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True).stdout
    pins = (MODULE / "go.mod").read_text() + (MODULE / "go.sum").read_text()
    digest = hashlib.sha256(f"{pins}{FLAGS}{SETTINGS}{version}".encode()).hexdigest()[:16]
    return cache_directory() / "kube" / digest
