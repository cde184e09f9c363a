"""What the tests need: Debian packages, installed where that is allowed, and programs built by Go; else named in plain
sight.

With ``CI=true`` a package that is missing and can't be installed is a failure.
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
"""What the tests need, by tool; benchmarks name theirs on the command line."""


def missing(tools: Sequence[str] = tuple(PACKAGES)) -> list[str]:
    """Packages of tools that are not on this machine."""
    return [PACKAGES.get(tool, tool) for tool in tools if not _is_there(tool)]


def _is_there(tool: str) -> bool:
    if tool == "postgres":
        return any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or shutil.which("initdb") is not None
    return shutil.which(tool, path=f"{os.environ['PATH']}:/usr/sbin") is not None


def install(packages: list[str]) -> None:
    """Install by apt-get, as root or by sudo that asks nothing; errors are left to the check that follows."""
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
        left.append("golang")  # builds etcd and kube-apiserver; or KUBEBUILDER_ASSETS names built ones
    elif tools == tuple(PACKAGES) and go_tools.missing():
        left.append("golang")  # builds helm and others
    if not left:
        return 0
    print(
        f"NOT INSTALLED: {' '.join(left)}. What needs them is left out, suites of tests in plain sight. "
        f"Install them: apt-get install {' '.join(left)}",
        file=sys.stderr,
        flush=True,
    )
    return 1 if os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
