"""Install the tools that the tests need: Debian packages, where that is permitted, and programs built with Go. Print
the tools that are still missing.

With ``CI=true``, a missing package that cannot be installed is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.support import debian_base, go_tools, kube_build

PACKAGES = {
    "buildah": "buildah",
    "chromium": "chromium",
    "debootstrap": "debootstrap",
    "docker-registry": "docker-registry",
    "postgres": "postgresql",
    "skopeo": "skopeo",
}
"""The Debian packages that the tests need, by tool. Benchmarks name their tools on the command line."""


def missing(tools: Sequence[str] = tuple(PACKAGES)) -> list[str]:
    """Return the packages of the tools that are not installed."""
    return [PACKAGES.get(tool, tool) for tool in tools if not _is_there(tool)]


def _is_there(tool: str) -> bool:
    if tool == "postgres":
        return any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or shutil.which("initdb") is not None
    return shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin") is not None


def install(packages: list[str]) -> None:
    """Install packages with apt-get, as root or with a sudo that does not prompt. The check that follows reports
    failures."""
    apt = shutil.which("apt-get")
    if apt is None:
        return
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *packages]):
        subprocess.run([*sudo, apt, *arguments], env=environment, stdout=subprocess.DEVNULL, check=False)


def main() -> int:
    tools = sys.argv[1:] or tuple(PACKAGES)
    if tools == tuple(PACKAGES):
        kube_build.build()
        go_tools.build()
    needed = missing(tools)
    if needed:
        print(f"Installing what is needed: {' '.join(needed)}", flush=True)
        install(needed)
    if tools == tuple(PACKAGES):
        debian_base.build()
    left = missing(tools)
    if tools == tuple(PACKAGES) and kube_build.binaries() is None:
        left.append("golang")  # builds etcd and kube-apiserver, unless KUBEBUILDER_ASSETS names prebuilt ones
    elif tools == tuple(PACKAGES) and go_tools.missing():
        left.append("golang")  # builds helm and other tools
    if not left:
        return 0
    print(
        f"NOT INSTALLED: {' '.join(left)}. Tests that need them are skipped, and whole suites are reported as skipped. "
        f"Install them: apt-get install {' '.join(left)}",
        file=sys.stderr,
        flush=True,
    )
    return 1 if os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
