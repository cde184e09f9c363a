"""Debian packages that the tests need: installed where that is allowed, else named in plain sight.

With ``CI=true`` a package that is missing and can't be installed is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = {"docker-registry": "docker-registry", "postgres": "postgresql"}


def missing() -> list[str]:
    """Packages that are not on this machine."""
    postgres = any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or shutil.which("initdb")
    found = {"docker-registry": shutil.which("docker-registry"), "postgres": postgres}
    return [package for tool, package in PACKAGES.items() if not found[tool]]


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
    needed = missing()
    if needed:
        print(f"Installing what the tests need: {' '.join(needed)}", flush=True)
        install(needed)
    left = missing()
    if not left:
        return 0
    print(
        f"NOT INSTALLED: {' '.join(left)}. The suites that need them are left out and shown as skipped. "
        f"Install them: apt-get install {' '.join(left)}",
        file=sys.stderr,
        flush=True,
    )
    return 1 if os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
