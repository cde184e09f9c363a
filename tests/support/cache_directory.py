"""The directory that caches expensive artifacts between runs: tools, schemas, images and databases."""

from __future__ import annotations

import os
from pathlib import Path


def cache_directory() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "k8s-image-swapper"
