"""Base images for the container image's tests: Debian with its Python, built by debootstrap and cached as archives."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.support.cache_directory import cache_directory

RELEASE: Final = "bookworm"
RUN: Final = ("ca-certificates", "python3")
"""The packages of the base of the runtime stage, equivalent to `python:*-slim`."""

BUILD: Final = ("python3-venv", "python3.11-venv", "python3-pip-whl", "python3-setuptools-whl")
"""The additional packages of the stage that installs Python packages: venv and its dependencies."""

# Directories that slim images also omit.
LEFT_OUT: Final = (
    *("usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale"),
    *("var/cache", "var/lib/apt/lists", "var/log"),
)


@dataclass(frozen=True, slots=True)
class Bases:
    """Archives of root file systems."""

    run: Path
    build: Path

    @property
    def are_there(self) -> bool:
        return self.run.exists() and self.build.exists()


def bases() -> Bases:
    """Return the paths of the archives, whether or not they exist."""
    key = hashlib.sha256(repr((RELEASE, RUN, BUILD, LEFT_OUT)).encode()).hexdigest()[:16]
    directory = cache_directory() / "debian" / key
    return Bases(directory / "run.tar", directory / "build.tar")


def build() -> None:
    """Build the archives if they are missing, which takes a minute, once per machine. Do nothing without debootstrap or
    without root privileges."""
    made = bases()
    if made.are_there or not shutil.which("debootstrap", path=f"{os.environ['PATH']}:/usr/sbin") or os.geteuid() != 0:
        return
    print("Building the base of the container image with debootstrap, once per machine", flush=True)
    made.run.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="swapper-debian-") as directory:
        root = Path(directory) / "root"
        included = ",".join((*RUN, *BUILD))
        _run("debootstrap", "--variant=minbase", f"--include={included}", RELEASE, str(root))
        _run("chroot", str(root), "apt-get", "clean")
        _archive(root, made.build)
        _run("chroot", str(root), "apt-get", "purge", "-q", "-y", *BUILD)
        for place in LEFT_OUT:
            shutil.rmtree(root / place)
            (root / place).mkdir()
        _archive(root, made.run)


def _archive(root: Path, file: Path) -> None:
    """Write the archive under a temporary name until it is complete."""
    part = file.with_suffix(".part")
    with tarfile.open(part, "w") as archive:
        archive.add(root, ".", filter=lambda entry: None if entry.isdev() else entry)
    part.rename(file)


def _run(*command: str) -> None:
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "DEBIAN_FRONTEND": "noninteractive"}
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
    if result.returncode:
        raise RuntimeError(f"{' '.join(command)}: {result.stdout[-1000:]}\n{result.stderr[-2000:]}")
