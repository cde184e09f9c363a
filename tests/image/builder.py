"""Builds the container image with buildah, without a daemon, on a base that debootstrap has created."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pytest

from tests import tools
from tests.support import debian_base
from tests.support.cache_directory import cache_directory
from tests.support.databases import ROOT

TOOLS: Final = ("buildah", "debootstrap", "skopeo")
REVISION: Final = "0123456789abcdef0123456789abcdef01234567"


def require_tools() -> None:
    """Skip visibly if the tools or root are missing, or fail in CI."""
    if os.geteuid() == 0 and not (left := tools.missing(TOOLS)):
        return
    message = "root is needed" if os.geteuid() else f"missing: {' '.join(left)}; run make tools"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


@dataclass(frozen=True)
class Buildah:
    """buildah with separate storage, which contains no images of the machine."""

    directory: Path

    def __call__(self, *arguments: str, timeout: float = 600) -> str:
        places = [
            "--root",
            f"{self.directory}/storage",
            "--runroot",
            f"{self.directory}/run",
            "--storage-driver",
            "vfs",
        ]
        command = ["buildah", *places, *arguments]
        environment = {**os.environ, "TMPDIR": str(self.directory), "BUILDAH_ISOLATION": "chroot"}
        result = subprocess.run(
            command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert result.returncode == 0, f"{arguments}: {result.stdout[-3000:]}\n{result.stderr[-3000:]}"
        return result.stdout.strip()

    def load(self, archive: Path, name: str) -> None:
        """Create a base image from a root file system."""
        container = self("from", "scratch")
        self("add", "--quiet", container, str(archive), "/")
        self("commit", "--rm", "--quiet", container, name)


@dataclass(frozen=True)
class Image:
    """The built image: its root file system, and the image as an OCI archive."""

    buildah: Buildah
    root: Path
    archive: Path

    @cached_property
    def inspected(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.buildah("inspect", "--type", "image", "swapper"))
        return found

    @property
    def config(self) -> dict[str, Any]:
        config: dict[str, Any] = self.inspected["OCIv1"]["config"]
        return config

    @property
    def layers(self) -> list[int]:
        """The size in bytes of each layer, as it is stored on a node."""
        return [layer["size"] for layer in json.loads(self.inspected["Manifest"])["layers"]]


@contextmanager
def built() -> Iterator[Image]:
    """Build the image. This takes a minute, most of it for the installation of packages."""
    require_tools()
    debian_base.build()
    memory = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(prefix="swapper-image-", dir=memory if memory.is_dir() else None))
    try:
        buildah = Buildah(directory)
        bases = debian_base.bases()
        buildah.load(bases.run, "swapper-base")
        buildah.load(bases.build, "swapper-build")
        buildah("bud", *_arguments(directory), "--tag", "swapper", str(ROOT))
        root = Path(buildah("mount", buildah("from", "swapper")))
        archive = directory / "image.tar"
        buildah("push", "--quiet", "swapper", f"oci-archive:{archive}")
        yield Image(buildah, root, archive)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _arguments(directory: Path) -> list[str]:
    """Return the arguments of the build, which installs packages from a directory because it has no network."""
    pip = directory / "pip.conf"
    pip.write_text("[global]\nno-index = true\nfind-links = /wheels\n")
    values = {"BASE_IMAGE": "localhost/swapper-base", "BUILD_IMAGE": "localhost/swapper-build", "REVISION": REVISION}
    arguments = [part for name, value in values.items() for part in ("--build-arg", f"{name}={value}")]
    return [*arguments, "--secret", f"id=pip,src={pip}", "--volume", f"{_wheels()}:/wheels:ro", "--quiet"]


def _wheels() -> Path:
    """Return the directory of the locked packages for the base's Python, downloaded by this machine's pip."""
    requirements = ROOT / "requirements/run.txt"
    key = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
    place = cache_directory() / "wheels" / key
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent) as part:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:", "--require-hashes"]
        command += ["--python-version", "3.11", "--requirement", str(requirements), "--dest", f"{part}/wheels"]
        subprocess.run(command, check=True, timeout=300)
        Path(part, "wheels").rename(place)
    return place
