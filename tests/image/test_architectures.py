"""The image for linux/arm64: each locked package has a wheel, so that its build compiles nothing."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.databases import ROOT

LOCK = ROOT / "requirements/run.txt"
GLIBC = ("manylinux2014", "manylinux_2_17", "manylinux_2_26", "manylinux_2_28", "manylinux_2_34")
"""Wheel platforms that the base image, Debian 12 with glibc 2.36, can load."""


def locked() -> Iterator[str]:
    """Yield the names of the packages that are installed on Linux."""
    for line in LOCK.read_text().splitlines():
        if "==" in line and not line.startswith((" ", "#")):
            requirement = Requirement(line.rstrip("\\ "))
            if requirement.marker is None or requirement.marker.evaluate():
                yield canonicalize_name(requirement.name)


def python_of_the_image() -> str:
    found = re.search(r"^ARG BASE_IMAGE=\S+/python:(\d+\.\d+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert found is not None
    return found[1]


def resolved(directory: Path, machine: str) -> list[Any]:
    """Return the packages that pip would install on that machine with the hashes of the lock. Nothing is installed."""
    platforms = [part for name in GLIBC for part in ("--platform", f"{name}_{machine}")]
    target = ["--target", str(directory / "packages"), "--python-version", python_of_the_image(), *platforms]
    what = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--requirement", str(LOCK)]
    report = directory / "report.json"
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report"]
    result = subprocess.run([*command, str(report), *target, *what], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return list(json.loads(report.read_text())["install"])


@pytest.mark.timeout(180)
def test_each_locked_package_has_a_wheel_for_arm64(tmp_path: Path) -> None:
    found = resolved(tmp_path, "aarch64")
    files = [package["download_info"]["url"].rpartition("/")[2] for package in found]

    assert {canonicalize_name(package["metadata"]["name"]) for package in found} == set(locked())
    assert [name for name in files if not name.endswith(("-any.whl", "_aarch64.whl"))] == []
    assert [name for name in files if name.endswith("_aarch64.whl")], "some packages are compiled"
