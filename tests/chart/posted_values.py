"""Values files for estahn's chart as users have published them, and others that it would have accepted."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

FOLDER: Final = Path(__file__).parent / "values"


def posted() -> dict[str, dict[str, Any]]:
    """Return the files by name."""
    return {path.stem: yaml.safe_load(path.read_text()) for path in sorted(FOLDER.glob("*.yaml"))}
